"""The alert state machine against a loop over bars, alone and inside the job."""

import math
from collections.abc import Sequence
from dataclasses import astuple
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics_job.job import AnalyticsJob
from spreadlake.quant.alerts import AlertEvent, AlertLevels, AlertState, event_id, scan
from spreadlake.times import timeframe_seconds
from tests.analytics_job import harness
from tests.analytics_job.markets import walk

NAN = float("nan")
Event = tuple[Any, ...]


def _loop(
    zscores: Sequence[Sequence[float]], allowed: Sequence[Sequence[bool]], levels: AlertLevels
) -> list[Event]:
    """Bar after bar, from the words of the definition; each of `zscores` is one series' bars."""
    events: list[list[Any]] = []
    streaks, opened, quiet_until = [0] * len(zscores), -1, 0.0
    for time in range(len(zscores[0])):
        for series, (own, gates) in enumerate(zip(zscores, allowed, strict=True)):
            beyond = not math.isnan(own[time]) and abs(own[time]) > levels.threshold
            streaks[series] = streaks[series] + 1 if beyond and gates[time] else 0
        if opened >= 0:
            z = zscores[opened][time]
            if math.isnan(z):
                continue
            if abs(z) < levels.close_below:
                events[-1][3:5] = [time, z]
                opened, quiet_until = -1, time + levels.quiet_seconds
            elif abs(z) > abs(events[-1][2]):
                events[-1][2] = z
            continue
        lasting = [n for n, streak in enumerate(streaks) if streak >= levels.min_bars]
        if lasting and time >= quiet_until:
            opened = lasting[0]
            z = zscores[opened][time]
            events.append([time, z, z, None, None, opened])
    return [tuple(event) for event in events]


def _scanned(
    zscores: Sequence[Sequence[float]],
    allowed: Sequence[Sequence[bool]],
    levels: AlertLevels,
    cuts: Sequence[int],
) -> list[Event]:
    """The machine over pieces; a later report of an event replaces the earlier one."""
    rows = len(zscores[0])
    bounds = sorted({0, rows, *(cut % (rows + 1) for cut in cuts)})
    state = AlertState()
    found: dict[int, AlertEvent] = {}
    for low, high in pairwise(bounds):
        state, events = scan(
            state,
            np.arange(low, high),
            np.array(zscores)[:, low:high],
            np.array(allowed, dtype=np.bool_)[:, low:high],
            levels,
        )
        found.update((event.opened_at, event) for event in events)
    assert (state.event is not None) == any(e.closed_at is None for e in found.values())
    return [astuple(event) for event in found.values()]


levels_ = st.tuples(
    st.sampled_from([1.0, 2.0]),
    st.sampled_from([0.5, 1.0]),
    st.integers(1, 4),
    st.sampled_from([0.0, 1.0, 3.0, 10.0]),
)
_bar = st.tuples(
    st.sampled_from([0.0, 0.4, 0.5, -0.9, 1.0, -1.0, 1.5, 2.0, -2.0, 2.1, -2.5, 3.0, NAN]),
    st.sampled_from([True, True, True, False]),
)


@settings(max_examples=500, deadline=None)
@given(st.integers(1, 3), st.data(), levels_, st.lists(st.integers(0, 60), max_size=5))
def test_any_split_gives_the_events_of_the_loop(
    series: int, data: Any, numbers: tuple[float, float, int, float], cuts: list[int]
) -> None:
    levels = AlertLevels(*numbers)
    bars = data.draw(st.lists(st.lists(_bar, min_size=series, max_size=series), max_size=60))
    zscores = [[bar[n][0] for bar in bars] for n in range(series)]
    allowed = [[bar[n][1] for bar in bars] for n in range(series)]
    assert _scanned(zscores, allowed, levels, cuts) == _loop(zscores, allowed, levels)


@pytest.mark.parametrize(
    ("zscores", "levels", "want"),
    [
        ([1, 2.0, 1], AlertLevels(2, 2), []),  # at the threshold is not beyond it
        ([3, 2.0, 1], AlertLevels(2, 2), [(0, 3, 3, 2, 1)]),  # nor under it
        ([3, -4, 1], AlertLevels(2, 2), [(0, 3, -4, 2, 1)]),  # the far side does not close it
        ([3, -3, 1], AlertLevels(2, 2), [(0, 3, 3, 2, 1)]),  # as far again is no farther peak
        ([3, 1.5, 0.9], AlertLevels(2, 1), [(0, 3, 3, 2, 0.9)]),
        ([3, 1, 3, 3], AlertLevels(2, 2, 2), [(3, 3, 3, None, None)]),
        ([3, NAN, 3, 3], AlertLevels(2, 2, 2), [(3, 3, 3, None, None)]),
        ([3, NAN, 1], AlertLevels(2, 2), [(0, 3, 3, 2, 1)]),
        ([3, 1, 3], AlertLevels(2, 2), [(0, 3, 3, 1, 1), (2, 3, 3, None, None)]),
        # Quiet for so many seconds from the bar that closed it; the first after them may open.
        ([3, 1, 3, 3, 3], AlertLevels(2, 2, 1, 3), [(0, 3, 3, 1, 1), (4, 3, 3, None, None)]),
        ([3, 1, 3, 3, 1], AlertLevels(2, 2, 1, 3), [(0, 3, 3, 1, 1)]),
        # What has lasted while it was quiet has lasted.
        ([3, 3, 1, 3, 3, 3], AlertLevels(2, 2, 2, 3), [(1, 3, 3, 2, 1), (5, 3, 3, None, None)]),
    ],
)
def test_worked_examples(zscores: list[float], levels: AlertLevels, want: list[Event]) -> None:
    found = _scanned([zscores], [[True] * len(zscores)], levels, [])
    assert found == [(*event, 0) for event in want]


def test_without_rows_it_stands_where_it_stood() -> None:
    levels, none = AlertLevels(2, 2, 3), np.empty((1, 0))
    for before in ([3.0, 3.0], [3.0, 3.0, 3.0], [3.0, 3.0, 3.0, 1.0]):
        every = np.array([before])
        state, _ = scan(AlertState(), np.arange(every.size), every, every > 0, levels)
        after, events = scan(state, np.arange(0), none, none > 0, levels)
        assert (after, events) == (state, [])


def test_a_pair_has_one_event_of_a_rule_at_a_time() -> None:
    """Of several lookbacks that of the first, and none of another while it is open or quiet."""
    short = [0.0, 3, 3, 1, 0, 0, 0, 3]
    long_ = [3.0, 3, 3, 3, 3, 3, 3, 3]
    every = [[True] * 8] * 2
    levels = AlertLevels(2, 2, 1, 2)
    assert _scanned([short, long_], every, levels, []) == [(0, 3, 3, None, None, 1)]
    both = [[1.0, *short[1:]], [1.0, *long_[1:]]]
    assert _scanned(both, every, levels, []) == [(1, 3, 3, 3, 1, 0), (5, 3, 3, None, None, 1)]


def test_the_id_of_an_event_names_it_and_fits_a_browser() -> None:
    ids = {
        event_id(rule, pair, "1s", window, 300, at)
        for rule in ("a", "b")
        for pair in ("A/B", "B/A")
        for window in (3, 30)
        for at in range(200)
    }
    assert len(ids) == 1600
    assert max(ids) < 2**53
    # Grafana's annotations and old lakes hold it: it must never change.
    assert event_id("zscore", "BTCUSDT/ETHUSDT", "1s", 60, 300, 1_700_000_000) == 276426273969881


# As plain as they can be where nothing else is said.
PLAIN: dict[str, Any] = {"min_bars": 1, "quiet_seconds": 0}
RULES: list[dict[str, Any]] = [
    {"name": "plain", "threshold": 1.2},
    {"name": "usual", "threshold": 1.0, "min_bars": None, "quiet_seconds": 40},
    {"name": "quiet", "threshold": 0.9, "close_below": 0.7, "quiet_seconds": 25},
    {"name": "seconds", "threshold": 0.8, "min_bars": None, "min_seconds": 7},
    {"name": "hysteresis", "threshold": 1.4, "close_below": 0.3},
    {"name": "lasting", "threshold": 0.8, "close_below": 0.6, "min_bars": 4},
    {"name": "correlated", "threshold": 0.9, "min_correlation": 0.2, "min_bars": 2},
    {"name": "traded", "threshold": 0.7, "min_volume": 900.0},
    {"name": "both", "threshold": 0.7, "min_volume": 700.0, "min_correlation": -0.1},
    {"name": "young", "threshold": 0.6, "min_hedge_bars": 0},
    {"name": "grown", "threshold": 0.6, "min_hedge_bars": 0.75, "min_bars": 3},
]


def test_the_job_finds_the_events_of_the_loop_over_its_rows(tmp_path: Path) -> None:
    """With late trades, that change rows before, inside and after open events."""
    config = harness.settings(
        symbols=["AUSDT", "BUSDT"],
        timeframes=["1s", "5s"],
        windows=[10],
        lookbacks=[30],
        max_stale_bars=3,
        alerts=[
            PLAIN
            | {**rule, "name": f"{rule['name']} {timeframe}", "window": 10, "timeframe": timeframe}
            for rule in RULES
            for timeframe in ("1s", "5s")
        ],
    )
    trades = walk(["AUSDT", "BUSDT"], 400, seed=4, per_second=0.7)
    late = trades[50:60] + trades[200::37]
    batches = [[t for t in trades if t not in late]]
    lake = harness.TestLake(tmp_path)
    job = AnalyticsJob(lake.lake, config)
    for batch in [*batches, *([t] for t in late)]:
        lake.store(batch)
        job.step()
        _assert_events_of_rows(lake)
    job.close()
    assert {row["rule"] for row in lake.table("alert_events")} >= {
        f"{rule['name']} 1s" for rule in RULES
    }
    lake.close()


def _assert_events_of_rows(lake: harness.TestLake) -> None:
    table = lake.table("pair_analytics")
    stored = sorted(lake.table("alert_events"), key=lambda event: event["opened_at"])
    for rule in RULES:
        for timeframe in ("1s", "5s"):
            rows = [row for row in table if row["timeframe"] == timeframe]
            length = timeframe_seconds(timeframe)
            seconds = rule.get("min_seconds", 5 if "min_bars" in rule else 0)
            bars = rule.get("min_bars", 1) or math.ceil(seconds / length)
            quiet = rule.get("quiet_seconds", 0) / length
            close = rule.get("close_below", rule["threshold"] / 2)
            levels = AlertLevels(rule["threshold"], close, bars, quiet)
            zscores = [NAN if row["zscore"] is None else row["zscore"] for row in rows]
            want = [
                (rows[opened]["time"], z, peak, None if shut is None else rows[shut]["time"], last)
                for opened, z, peak, shut, last, _ in _loop(
                    [zscores], [[_allowed(rule, row) for row in rows]], levels
                )
            ]
            assert want == [
                tuple(event[k] for k in EVENT)
                for event in stored
                if event["rule"] == f"{rule['name']} {timeframe}"
            ], rule["name"]


EVENT = ("opened_at", "opened_zscore", "peak_zscore", "closed_at", "closed_zscore")


def _allowed(rule: dict[str, Any], row: dict[str, Any]) -> bool:
    share = rule.get("min_hedge_bars", 1.0)
    if share and (row["hedge_bars"] is None or row["hedge_bars"] < share * row["lookback_bars"]):
        return False
    if row["correlation"] is None:
        return "min_correlation" not in rule and "min_volume" not in rule
    volume = min(row["volume_a"], row["volume_b"])
    return bool(
        row["correlation"] >= rule.get("min_correlation", -1)
        and volume >= rule.get("min_volume", 0)
    )
