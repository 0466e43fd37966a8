"""The live screen: when it is taken, what is kept of it, and that it holds up no step."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from analytics_job.job import AnalyticsJob
from analytics_job.screens.screener import Screener
from spreadlake.config import Settings
from spreadlake.lake import open_analytics_writer, read_status
from spreadlake.quant.correlation_map import correlation_map
from spreadlake.quant.screen import SCREEN_SCHEMA, ScreenOptions
from spreadlake.research import ScreenRequest, take_screen
from tests.analytics_job import harness
from tests.analytics_job.markets import EPOCH, walk
from tests.trades import Trade

SYMBOLS = ["AUSDT", "BUSDT", "CUSDT", "DUSDT", "EUSDT"]
TRADES = walk(SYMBOLS, 1_200, seed=5, per_second=0.8, start=EPOCH)
SCREEN = {
    "enabled": True,
    "timeframe": "5s",
    "lookback": 40,
    "window": 20,
    "interval": 60,
    "top": 4,
    "keep_hours": 1,
}
KEY = {"timeframe": "5s", "lookback_bars": 40, "window_bars": 20}


def _settings(**screen: Any) -> Settings:
    return harness.settings(
        symbols=SYMBOLS,
        pairs=[],
        timeframes=["1s", "5s"],
        windows=[20],
        alerts=[],
        max_stale_bars=20,
        screen=SCREEN | screen,
    )


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[harness.TestLake]:
    one = harness.TestLake(tmp_path)
    yield one
    one.close()


def _job(lake: harness.TestLake, **screen: Any) -> AnalyticsJob:
    job = AnalyticsJob(lake.lake, _settings(**screen))
    job.start_beside()
    return job


def _until(seconds: int) -> list[Trade]:
    """The trades up to so many seconds after the beginning, and one that makes bars final."""
    end = (EPOCH + seconds) * 1000
    return [trade for trade in TRADES if trade.time_ms <= end + 2_000]


def _screened(job: AnalyticsJob) -> None:
    job.step()
    job.run_screens()
    job.step()


def _end(job: AnalyticsJob) -> None:
    job.stop_beside()
    job.close()


def test_a_screen_is_kept_as_the_command_would_show_it(lake: harness.TestLake) -> None:
    lake.store(_until(420))
    job = _job(lake)
    _screened(job)
    request = ScreenRequest("5s", ScreenOptions(40, 20), tuple(SYMBOLS), 0.0, 20)
    want = take_screen(lake.lake, request, at=EPOCH + 420)
    (summary,) = lake.table("screens")
    assert summary.pop("seconds") > 0
    found = int((want.rows["qvalue"] <= 0.05).sum())
    assert summary == KEY | {
        "time": EPOCH + 415,
        "symbols": 5,
        "pairs": 10,
        "cointegrated": found,
    }
    rows = lake.table("screen_pairs")
    stored = pl.DataFrame(rows, schema_overrides=SCREEN_SCHEMA).select(SCREEN_SCHEMA.names())
    assert stored.equals(want.rows.head(4), null_equal=True)
    whole = pl.read_parquet(lake.lake.latest_screen)
    assert whole.equals(want.rows, null_equal=True)
    mapped = [tuple(row.values())[4:] for row in lake.table("screen_correlations")]
    assert mapped == sorted(correlation_map(want.rows, 30).rows(), key=lambda row: (row[0], row[2]))
    assert "10 pairs of 5 symbols" in job.heartbeat.screen
    job.heartbeat.due = 0.0
    job.step()
    assert job.heartbeat.screen == read_status(job._db)["job"][0]["screen"]
    _end(job)


def test_each_screen_is_taken_once_and_only_the_newest(lake: harness.TestLake) -> None:
    job = _job(lake)
    lake.store(_until(290))
    for _ in range(3):
        _screened(job)
    assert _times(lake) == [235]  # of the bar that ends at 240
    lake.store(_until(650))
    for _ in range(3):
        _screened(job)
    assert _times(lake) == [235, 595]
    _end(job)


def test_a_restart_goes_on(lake: harness.TestLake) -> None:
    lake.store(_until(320))
    first = _job(lake)
    _screened(first)
    _end(first)
    again = _job(lake)
    again._screener._process.compute = None  # type: ignore[union-attr,method-assign]
    _screened(again)  # there is nothing to compute
    _end(again)
    lake.store(_until(370))
    third = _job(lake)
    _screened(third)
    assert _times(lake) == [295, 355]
    _end(third)


def test_persistence_is_the_share_of_the_screens_of_the_last_hour(
    lake: harness.TestLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spreadlake.lake.analytics.screens.PERSISTENCE_SECONDS", 240)
    monkeypatch.setattr("analytics_job.screens.store.PERSISTENCE_SECONDS", 240)
    job = _job(lake)
    monkeypatch.setattr(job._screener._process, "compute", lambda work, due: work(due))  # type: ignore[union-attr]
    passed: dict[int, set[str]] = {}
    seen: dict[int, dict[str, float | None]] = {}
    for seconds in range(300, 1_200, 60):
        lake.store(
            [t for t in _until(seconds) if t.time_ms > (EPOCH + seconds - 60) * 1000 + 2_000]
        )
        if seconds == 300:
            lake.store(_until(240))
        _screened(job)
        whole = pl.read_parquet(lake.lake.latest_screen)
        names = ["/".join(sorted(legs)) for legs in whole.select("symbol_a", "symbol_b").rows()]
        seen[seconds] = dict(zip(names, whole["persistence"], strict=True))
        small = whole["coint_pvalue"] < 0.05
        passed[seconds] = {name for name, one in zip(names, small, strict=True) if one}
    assert any(passed.values())
    assert set(seen[300].values()) == {None}
    for seconds in range(360, 1_200, 60):
        before = [passed[at] for at in range(max(300, seconds - 240), seconds, 60)]
        want = {name: np.mean([name in one for one in before]) for name in seen[seconds]}
        assert seen[seconds] == pytest.approx(want)
    assert len(lake.table("screen_passed")) == 5
    assert max(one for one in seen[1140].values() if one is not None) > 0
    _end(job)


def test_screens_grow_old(lake: harness.TestLake) -> None:
    job = _job(lake)
    job._settings = _settings().model_copy(
        update={"screen": _settings().screen.model_copy(update={"keep_hours": 0.1})}
    )
    for seconds in (300, 600, 1_150):
        lake.store(_until(seconds)[len(_until(seconds - 550)) if seconds > 600 else 0 :])
        _screened(job)
    assert _times(lake) == [1_135]
    assert {row["time"] for row in lake.table("screen_pairs")} == {EPOCH + 1_135}
    _end(job)


def test_why_there_is_none_is_said_in_words(lake: harness.TestLake) -> None:
    job = _job(lake)
    _screened(job)
    assert job.heartbeat.screen == ""  # there is no trade at all yet
    lake.store(_until(130))
    _screened(job)
    assert "there is no pair to screen" in job.heartbeat.screen
    assert "of 40 bars" in job.heartbeat.screen
    assert lake.table("screens") == []
    _end(job)


def test_a_symbol_without_a_bar_is_no_mistake(lake: harness.TestLake) -> None:
    lake.store([trade for trade in _until(420) if trade.symbol != "EUSDT"])
    job = _job(lake)
    _screened(job)
    assert [row["symbols"] for row in lake.table("screens")] == [4]
    _end(job)


def test_while_nobody_has_a_bar_there_is_no_screen_to_take(lake: harness.TestLake) -> None:
    """Bars that are there by the time it is taken would be those of symbols it does not ask for."""
    screener = Screener(lake.lake)
    try:
        with closing(open_analytics_writer(lake.lake)) as db:
            screener.run(db, _settings(), SYMBOLS, int(EPOCH) + 600)
        assert screener.message == ""
    finally:
        screener.close()


def test_a_process_that_is_killed_costs_one_screen(lake: harness.TestLake) -> None:
    lake.store(_until(420))
    job = _job(lake)
    process = job._screener._process  # type: ignore[union-attr]
    pid = process.compute(os.getpid)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    _screened(job)
    lake.store([trade for trade in _until(490) if trade not in _until(420)])
    _screened(job)
    assert _times(lake)[-1] == 475
    _end(job)


def test_it_is_off_until_it_is_asked_for(lake: harness.TestLake) -> None:
    lake.store(_until(420))
    job = _job(lake, enabled=False)
    _screened(job)
    assert lake.table("screens") == []
    job.configure(_settings())
    _screened(job)
    assert _times(lake) == [415]
    _end(job)


def _times(lake: harness.TestLake) -> list[int]:
    return [row["time"] - EPOCH for row in lake.table("screens")]
