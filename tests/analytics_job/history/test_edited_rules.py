"""A rule that is edited: its newest events at once, those of months of rows while others go on."""

from pathlib import Path
from typing import Any

import pytest

from analytics_job.job import AnalyticsJob
from spreadlake.config import Settings
from tests.analytics_job import harness
from tests.analytics_job.archiving import CONFIG, EPOCH_MS, HOURS, roll, trades
from tests.trades import Trade

EPOCH = EPOCH_MS // 1000
END = EPOCH + HOURS * 3600


def config(threshold: float, **storage: Any) -> Settings:
    rule = {"name": "z", "window": 30, "threshold": threshold, "min_bars": 2, "quiet_seconds": 90}
    storage = {"analytics_hours": {"1s": 1, "1m": 1}, **storage}
    return harness.settings(**CONFIG | {"alerts": [rule]}, storage=storage)


def later(second: int) -> list[Trade]:
    """A trade of each symbol at a second after the others."""
    return [
        Trade(symbol, 10_000 + second, (END + second) * 1000, 101.0 + second % 7, 1.0, False)
        for symbol in ("AUSDT", "BUSDT")
    ]


def events(lake: harness.TestLake) -> list[tuple[Any, ...]]:
    return sorted(tuple(row.values())[1:] for row in lake.table("alert_events"))


def due(lake: harness.TestLake) -> list[dict[str, Any]]:
    return lake.table("progress WHERE key GLOB 'rule:*'")


@pytest.fixture
def analysed(tmp_path: Path) -> harness.TestLake:
    """Five hours of rows, four of them in Parquet, under a rule of before."""
    lake = harness.TestLake(tmp_path / "lake")
    lake.store(trades())
    job = AnalyticsJob(lake.lake, config(1.2))
    job.step()
    roll(job)
    job.close()
    return lake


def test_its_events_are_those_of_one_that_was_always_there(
    analysed: harness.TestLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics_job.history.rules._AT_ONCE", 600)
    monkeypatch.setattr("analytics_job.history.rules._PIECE", 1_500)
    lake, before = analysed, events(analysed)
    job = AnalyticsJob(lake.lake, config(1.9))
    changed = [row["opened_at"] for row in lake.table("alert_events") if row["threshold"] == 1.9]
    assert changed, "the newest are found at once"
    assert min(changed) >= END - 700, "and no others"
    job.history_seconds = 0.001
    steps, reached = 0, list[int]()
    while due(lake):
        lake.store(later(2 * steps))
        job.step()
        watermark = lake.table("progress WHERE key = 'watermark_ms'")[0]["value"]
        assert watermark == (END + 2 * steps) * 1000, "live comes first"
        reached.append(min(r["opened_at"] for r in lake.table("alert_events")
                           if r["threshold"] == 1.9))  # fmt: skip
        steps += 1
        if steps == 3:  # it goes on where it was
            job.close()
            job = AnalyticsJob(lake.lake, config(1.9))
            job.history_seconds = 0.001
    job.close()
    assert reached == sorted(reached, reverse=True)
    assert len(set(reached)) > 4
    once = harness.TestLake(tmp_path / "once")
    once.store([*trades(), *(trade for step in range(steps) for trade in later(2 * step))])
    job = AnalyticsJob(once.lake, config(1.9))
    job.step()
    job.close()
    assert events(lake) == events(once) != before
    once.close()
    lake.close()


def test_it_is_run_over_no_more_than_events_are_kept_of(
    analysed: harness.TestLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics_job.history.rules._AT_ONCE", 600)
    kept = 2.5 * 3600
    monkeypatch.setattr("analytics_job.history.rules._DAY", kept)
    job = AnalyticsJob(analysed.lake, config(1.9, alert_days=1))
    job.step()
    assert not due(analysed)
    opened = [r["opened_at"] for r in analysed.table("alert_events") if r["threshold"] == 1.9]
    assert END - kept - 200 < min(opened) < END - kept + 600
    job.close()
    analysed.close()


def test_one_that_is_taken_back_before_it_was_run_leaves_nothing_due(
    analysed: harness.TestLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics_job.history.rules._AT_ONCE", 600)
    AnalyticsJob(analysed.lake, config(1.9)).close()
    assert due(analysed)
    job = AnalyticsJob(analysed.lake, harness.settings(**CONFIG | {"alerts": []}))
    job.step()
    assert not due(analysed)
    job.close()
    analysed.close()
