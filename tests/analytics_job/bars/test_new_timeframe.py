"""A timeframe that is added later: its bars are made a piece at a time, beside live trades."""

from pathlib import Path
from typing import Any

import pytest

from analytics_job.bars import backlog
from analytics_job.job import AnalyticsJob
from spreadlake.config import Settings
from tests.analytics_job import harness
from tests.analytics_job.markets import EPOCH, walk

SYMBOLS = ["AUSDT", "BUSDT"]
OLD = walk(SYMBOLS, 1800, seed=6, per_second=0.2, start=EPOCH - 40_000)
NEW = [
    trade._replace(trade_id=trade.trade_id + 1_000_000)
    for trade in walk(SYMBOLS, 1500, seed=7, per_second=0.2)
]


def _config(*timeframes: str) -> Settings:
    rule = {"name": "z", "window": 10, "threshold": 1.0, "timeframe": "20s"}
    return harness.settings(
        symbols=SYMBOLS,
        pairs="all",
        timeframes=list(timeframes),
        windows=[10],
        lookbacks=[30],
        job={"tests_interval": 100_000},
        alerts=[rule] if "20s" in timeframes else [],
    )


def test_it_is_made_in_steps_and_ends_as_if_it_had_been_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "_BARS", 200)
    once = harness.run_job(tmp_path / "once", _config("1s", "20s"), [OLD + NEW])
    lake = harness.run_job(tmp_path / "lake", _config("1s"), [OLD, NEW[:-300]])
    job = AnalyticsJob(lake.lake, _config("1s", "20s"))
    job.history_seconds = 0.0
    assert _due(lake)
    made = len(_bars(lake))
    assert 0 < made < len(_bars(once)) / 2
    steps = 0
    for trades in (NEW[-300:-200], NEW[-200:-100], NEW[-100:]):
        lake.store(trades)
        job.step()
        newest = max(row["time"] for row in _bars(lake))
        assert newest == (trades[-1].time_ms - 250) // 1000 // 20 * 20 - 20  # live goes on
    while _due(lake) or lake.table("rows_due"):
        if steps == 1:  # what is interrupted goes on
            job.close()
            job = AnalyticsJob(lake.lake, _config("1s", "20s"))
            job.history_seconds = 0.0
        job.step()
        steps += 1
    assert steps > 2
    job.close()
    assert lake.tables() == once.tables()
    lake.close()
    once.close()


def test_it_is_not_made_where_it_was_taken_away_again(tmp_path: Path) -> None:
    lake = harness.run_job(tmp_path, _config("1s"), [OLD])
    AnalyticsJob(lake.lake, _config("1s", "20s")).close()
    job = AnalyticsJob(lake.lake, _config("1s"))
    assert not _due(lake)
    job.step()
    job.close()
    lake.close()


def _due(lake: harness.TestLake) -> bool:
    return any(row["key"].startswith("build:") for row in lake.table("progress"))


def _bars(lake: harness.TestLake) -> list[dict[str, Any]]:
    return [row for row in lake.table("bars") if row["timeframe"] == "20s"]
