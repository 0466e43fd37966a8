"""Slow statistics that cannot be computed in time are thinned out, by a rule and to a bound."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_job.job import AnalyticsJob
from spreadlake.config import Settings
from spreadlake.config.storing import StorageSettings
from spreadlake.quant.stationarity_schedule import RECENT_SECONDS, WEEK_SECONDS, Schedule
from tests.analytics_job import harness
from tests.analytics_job.archiving import roll
from tests.analytics_job.markets import EPOCH
from tests.trades import Trade

SYMBOLS = ["AUSDT", "BUSDT"]
HOURS = 3
GATED = {"name": "gated", "timeframe": "1m", "window": 20, "threshold": 1.0, "max_adf_pvalue": 0.9}
FREE = {"name": "free", "timeframe": "1m", "window": 20}


def _config(*alerts: dict[str, Any]) -> Settings:
    return harness.settings(
        symbols=SYMBOLS,
        timeframes=["1m", "5m"],
        windows=[20],
        lookbacks=[40],
        max_stale_bars=50,
        job={"tests_interval": 60},
        alerts=list(alerts),
    )


def _trades(low: int = 0, high: int = HOURS * 3600 + 2) -> list[Trade]:
    """A trade of each symbol every 20 s, from `low` seconds after the epoch to `high`."""
    return [
        Trade(symbol, k + 1, (EPOCH + k * 20) * 1000, 100.0 + (k * 7919 * n) % 97 / 50, 1.0, False)
        for k in range(-(-low // 20), -(-high // 20))
        for n, symbol in enumerate(SYMBOLS, 1)
    ]


def _ends(lake: harness.TestLake, table: str, timeframe: str) -> set[int]:
    """Ends of the tested bars, in seconds after the epoch."""
    length = {"1m": 60, "5m": 300}[timeframe]
    rows = [row for row in lake.table(table) if row["timeframe"] == timeframe]
    return {row["time"] + length - EPOCH for row in rows}


def _wanted(length: int, low: int, final: int) -> set[int]:
    """What the rule says of bars that end in (low, final], by a loop over its words."""
    wanted = set()
    for end in range(low // length * length + length, final + 1, length):
        at_hour = any(hour // length * length == end for hour in range(0, final + 3600, 3600))
        if final - end <= RECENT_SECONDS or at_hour:
            wanted.add(end)
    return wanted


def _final(trades: list[Trade]) -> int:
    return (max(t.time_ms for t in trades) - 250) // 1000 - EPOCH


@pytest.mark.parametrize("pieces", [1, 7, 40])
def test_history_is_tested_at_whole_hours_however_it_comes(tmp_path: Path, pieces: int) -> None:
    lake = harness.TestLake(tmp_path)
    job = AnalyticsJob(lake.lake, _config(FREE))
    trades = _trades()
    size = -(-len(trades) // pieces)
    for at in range(0, len(trades), size):
        lake.store(trades[at : at + size])
        job.step()
    for timeframe, length in (("1m", 60), ("5m", 300)):
        assert _ends(lake, "tests_due", timeframe) == _wanted(length, 0, _final(trades))
    job.finish_tests()
    assert not lake.table("tests_due")
    job.close()
    lake.close()


def test_live_and_rebuilt_agree_in_every_row_that_both_have(tmp_path: Path) -> None:
    lake = harness.TestLake(tmp_path)
    job = AnalyticsJob(lake.lake, _config(FREE))
    trades = _trades()
    for low in range(0, len(trades), 90):
        lake.store(trades[low : low + 90])
        job.step()
        job.finish_tests()  # in time
    live = lake.table("pair_tests")
    assert len(_ends(lake, "pair_tests", "1m")) == _final(trades) // 60
    job.rebuild(None)
    job.finish_tests()
    job.close()
    rebuilt = lake.table("pair_tests")
    assert 0 < len(rebuilt) < len(live) / 5
    assert [row for row in rebuilt if row not in live] == []
    lake.close()


@pytest.mark.parametrize("start", [None, 5_400])
def test_archived_tests_that_history_leaves_out_do_not_outlive_a_rebuild(
    tmp_path: Path, start: int | None
) -> None:
    """Their bars may be others since."""
    config = _config(FREE).model_copy(
        update={"storage": StorageSettings(analytics_hours={"1m": 0.1, "5m": 0.1})}
    )
    lake = harness.TestLake(tmp_path)
    job = AnalyticsJob(lake.lake, config)
    for low in range(0, len(_trades()), 90):
        lake.store(_trades()[low : low + 90])
        job.step()
        job.finish_tests()
    roll(job)
    path = next(tmp_path.glob("pair_tests/timeframe=1m/*/*/*.parquet"))
    before = set(pl.read_parquet(path, hive_partitioning=False)["time"])
    job.rebuild(None if start is None else EPOCH + start)
    times = set()
    if path.exists():
        times = set(pl.read_parquet(path, hive_partitioning=False)["time"])
    assert times == {time for time in before if start is not None and time < EPOCH + start}
    assert len(before) > len(times)
    job.close()
    lake.close()


def test_what_gates_an_alert_is_never_thinned_out(tmp_path: Path) -> None:
    """And so the alerts are the same live and rebuilt."""
    lake = harness.TestLake(tmp_path)
    job = AnalyticsJob(lake.lake, _config(GATED))
    trades = _trades()
    for low in range(0, len(trades), 90):
        lake.store(trades[low : low + 90])
        job.step()
        job.finish_tests()
    live = lake.tables() | {
        "tests": [r for r in lake.table("pair_tests") if r["timeframe"] == "1m"]
    }
    assert live["alert_events"]
    job.rebuild(None)
    job.finish_tests()
    job.close()
    rebuilt = [r for r in lake.table("pair_tests") if r["timeframe"] == "1m"]
    assert lake.tables() | {"tests": rebuilt} == live
    assert _ends(lake, "pair_tests", "5m") == _wanted(300, 0, _final(trades))
    lake.close()


def test_a_test_that_was_computed_is_computed_again_when_its_bars_change(tmp_path: Path) -> None:
    """Also one of an old bar that history, computed later, would not have."""
    lake = harness.TestLake(tmp_path)
    job = AnalyticsJob(lake.lake, _config(FREE))
    held = [t for t in _trades(7_000, 7_200) if t.symbol == "AUSDT"]
    trades = [t for t in _trades() if t not in held]
    for low in range(0, len(trades), 90):
        lake.store(trades[low : low + 90])
        job.step()
        job.finish_tests()
    before = {(r["timeframe"], r["time"]): r for r in lake.table("pair_tests")}
    lake.store(held)
    job.step()
    due = _ends(lake, "tests_due", "1m")
    assert {7_080, 7_140, 7_260} <= due
    # As far as rows reach, of which staleness reaches farthest; and the newest bar, whose state
    # is looked at again with every change.
    newest = max(_ends(lake, "pair_tests", "1m"))
    assert max(due - {newest}) <= 7_200 + 51 * 60
    job.finish_tests()
    after = {(r["timeframe"], r["time"]): r for r in lake.table("pair_tests")}
    assert after.keys() == before.keys()
    assert {key for key in after if after[key] != before[key]} > {("1m", EPOCH + 7_020)}
    job.close()
    lake.close()


def test_what_waits_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where they fall due faster than they are computed, the oldest are given up, and counted."""
    monkeypatch.setattr("analytics_job.stationarity.store._MOST_DUE", 7)
    lake = harness.TestLake(tmp_path)
    job = AnalyticsJob(lake.lake, _config(FREE))
    lake.store(_trades())
    job.step()
    due = sorted(row["time"] for row in lake.table("tests_due"))
    assert len(due) == 7
    assert min(due) >= EPOCH + _final(_trades()) - RECENT_SECONDS - 300
    counters = {row["name"]: row["value"] for row in lake.table("counters")}
    given_up = counters["tests_given_up"]
    assert given_up > 0
    assert "slow statistics that were due longest" in caplog.text
    job.close()
    lake.close()


@given(
    st.sampled_from([1, 7, 50, 60, 3_600, 5_000]),
    st.sampled_from([1, 60, 300, 7_200]),
    st.integers(0, 40 * 86_400),
    st.integers(0, 40 * 86_400),
)
def test_the_rule_thins_what_it_has_thinned_no_further(
    interval: int, length: int, newest: int, age: int
) -> None:
    """What is kept of an age was kept of every younger one."""
    schedule = Schedule(interval)
    bar_end = newest // length * length
    if schedule.keeps(bar_end, length, newest + age):
        for younger in (0, age // 2, min(age, RECENT_SECONDS), min(age, WEEK_SECONDS)):
            if younger <= age:
                assert schedule.keeps(bar_end, length, newest + younger)


def test_a_year_of_history_is_some_hundreds_of_tests_a_series() -> None:
    year = 365 * 86_400
    times = Schedule(60).times(60, 0, year, year, every=False)
    assert 500 < len(times) < 600
    assert len(Schedule(60).times(60, 0, 86_400, 86_400, every=True)) == 1_440
