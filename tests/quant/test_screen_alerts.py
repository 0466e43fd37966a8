"""Alerts on the pairs of a screen: against a loop over screens and pairs, and case by case."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations, permutations
from typing import Any, NamedTuple

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spreadlake.quant.alerts import AlertEvent
from spreadlake.quant.screen import SCREEN_SCHEMA
from spreadlake.quant.screen_alerts import ScreenEvent, ScreenLevels, scan_screen

LEVELS = ScreenLevels(2.0, 1.0, 0.05, 5.0, None, 100.0, 3)
SYMBOLS = ("AUSDT", "BUSDT", "CUSDT", "DUSDT")
STEP = 900  # seconds from one screen to the next

Numbers = dict[str, Any]


class Screens(NamedTuple):
    """Rows by screen."""

    times: list[int]
    rows: list[list[Numbers]]


def row(a: str, b: str, zscore: float | None, **numbers: Any) -> Numbers:
    """A row that meets LEVELS where its z does."""
    usual = {"qvalue": 0.01, "edge_bps": 9.0, "volume_a": 1e3, "volume_b": 1e3, "beta": 1.0}
    return {"symbol_a": a, "symbol_b": b, "zscore": zscore, "half_life": 7.5} | usual | numbers


def frame(rows: Sequence[Numbers]) -> pl.DataFrame:
    whole = [{name: one.get(name) for name in SCREEN_SCHEMA.names()} for one in rows]
    return pl.DataFrame(whole, schema=SCREEN_SCHEMA)


def run(
    screens: Sequence[Sequence[Numbers]], levels: ScreenLevels = LEVELS, step: int = STEP
) -> tuple[list[ScreenEvent], list[int]]:
    """Every event as it was left, in order of opening, and how many each screen left out."""
    found: dict[tuple[int, str], ScreenEvent] = {}
    left_out = []
    for number, rows in enumerate(screens):
        result = scan_screen(list(found.values()), frame(rows), number * step, levels)
        found |= {(one.event.opened_at, one.pair): one for one in result.events}
        left_out.append(result.left_out)
    return [found[key] for key in sorted(found)], left_out


def times(events: Sequence[ScreenEvent], step: int = STEP) -> list[tuple[int, float | None]]:
    """Screen of the opening, and of the end."""
    ends = [one.event.closed_at for one in events]
    starts = [one.event.opened_at // step for one in events]
    return [
        (start, None if end is None else end // step)
        for start, end in zip(starts, ends, strict=True)
    ]


def test_it_opens_keeps_its_peak_and_closes_under_the_close_level() -> None:
    screens = [[row("A", "B", z)] for z in (1.9, 2.5, 3.5, 1.0, 0.9, 2.0, 2.1)]
    events, _ = run(screens)
    assert times(events) == [(1, 4), (6, None)]
    first, last = events
    assert first.event == AlertEvent(STEP, 2.5, 3.5, 4 * STEP, 0.9)
    assert (first.pair, first.qvalue, first.edge_bps, first.half_life) == ("A/B", 0.01, 9.0, 7.5)
    assert last.event == AlertEvent(6 * STEP, 2.1, 2.1)


def test_a_pair_is_quiet_after_an_end_whichever_way_round() -> None:
    quiet = LEVELS._replace(quiet_seconds=2 * STEP)
    legs = [("A", "B"), ("A", "B"), ("B", "A"), ("B", "A"), ("B", "A")]
    screens = [[row(a, b, z)] for (a, b), z in zip(legs, (3.0, 0.5, -3.0, -3.0, -3.0), strict=True)]
    assert times(run(screens, quiet)[0]) == [(0, 1), (3, None)]
    assert times(run(screens)[0]) == [(0, 1), (2, None)]
    others = [[*rows, row("A", "C", 3.0)] for rows in screens]
    events, left_out = run(others, quiet)
    assert times(events) == [(0, 1), (0, None), (3, None)]
    assert left_out == [0] * 5, "who is quiet is not left out"


def test_what_is_asked_holds_at_the_opening_only() -> None:
    for missed in (
        {"qvalue": 0.051},
        {"qvalue": None},
        {"edge_bps": 4.9},
        {"edge_bps": None},
        {"volume_a": 99.0},
        {"volume_b": 99.0},
    ):
        events, _ = run([[row("A", "B", 3.0, **missed)], [row("A", "B", 3.0)]])
        assert times(events) == [(1, None)], missed
        events, _ = run([[row("A", "B", 3.0)], [row("A", "B", 3.0, **missed)]])
        assert times(events) == [(0, None)], missed


def test_persistence_is_asked_where_it_is_asked() -> None:
    asks = LEVELS._replace(min_persistence=0.5)
    screens = [[row("A", "B", 3.0, persistence=share)] for share in (None, 0.4, 0.5)]
    assert times(run(screens, asks)[0]) == [(2, None)]
    assert times(run(screens)[0]) == [(0, None)]
    assert run(screens, asks)[0][0].persistence == 0.5


def test_a_pair_the_other_way_round_is_the_same_pair() -> None:
    """A − βB that is wide is B − A/β that is narrow, and as wide where β is negative."""
    for beta, sign in ((0.5, -1), (-0.5, 1)):
        turned = [row("B", "A", sign * z, beta=beta) for z in (2.8, 3.2, 0.5)]
        events, _ = run([[row("A", "B", 2.5)], *([one] for one in turned)])
        assert times(events) == [(0, 3)]
        assert events[0].pair == "A/B"
        assert (events[0].event.peak_zscore, events[0].event.closed_zscore) == (3.2, 0.5)


def test_a_spread_that_crosses_to_the_other_side_is_back() -> None:
    events, _ = run([[row("A", "B", z)] for z in (-2.5, 2.6, 2.7)])
    assert times(events) == [(0, 1), (2, None)]
    assert events[0].event.closed_zscore == 2.6
    assert events[1].event.opened_zscore == 2.7


def test_without_a_z_score_it_stays_open_for_an_hour() -> None:
    gone: list[Numbers] = []
    no_number = [row("A", "B", None)]
    events, _ = run([[row("A", "B", 3.0)], gone, no_number, gone, gone, gone])
    assert times(events) == [(0, 4)]
    assert events[0].event.closed_zscore is None
    events, _ = run([[row("A", "B", 3.0)], gone, gone, gone, [row("A", "B", 1.5)], gone, no_number])
    assert times(events) == [(0, None)]


def test_as_many_as_may_be_open_the_greatest_edge_first() -> None:
    pairs = list(combinations("ABCDE", 2))
    first = [row(a, b, 3.0, edge_bps=10.0 + at) for at, (a, b) in enumerate(pairs)]
    events, left_out = run([first, first])
    assert [one.pair for one in events] == ["C/D", "C/E", "D/E"]
    assert left_out == [7, 7]
    back = [row("C", "E", 0.0), *first]
    events, left_out = run([first, [one for one in back if one not in first[8:9]]])
    assert [(one.pair, one.is_open) for one in events] == [
        ("C/D", True), ("C/E", False), ("D/E", True), ("B/E", True)
    ]  # fmt: skip
    assert left_out == [7, 6]
    fewer = scan_screen([one for one in events if one.is_open], frame(first), 9_000, LEVELS)
    assert len([one for one in fewer.events if one.is_open]) == 3


def test_a_smaller_bound_closes_nothing() -> None:
    rows = [row(a, b, 3.0) for a, b in combinations("ABC", 2)]
    opened = scan_screen([], frame(rows), 0, LEVELS).events
    more = [row("A", "D", 3.0), row("B", "D", 3.0), row("C", "D", 3.0)]
    after = scan_screen(opened, frame([*rows, *more]), STEP, LEVELS._replace(max_open=1))
    assert [one.is_open for one in after.events] == [True] * 3
    assert after.left_out == 3


numbers: st.SearchStrategy[Numbers] = st.fixed_dictionaries(
    {
        "zscore": st.sampled_from([None, -3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5]),
        "beta": st.sampled_from([-0.5, 0.5, 2.0]),
        "qvalue": st.sampled_from([None, 0.01, 0.05, 0.2]),
        "edge_bps": st.sampled_from([None, 1.0, 5.0, 9.0]),
        "volume_a": st.sampled_from([50.0, 1e3]),
        "persistence": st.sampled_from([None, 0.2, 0.8]),
    }
)
tested = st.dictionaries(
    st.sampled_from(list(permutations(SYMBOLS[:3], 2))), numbers, max_size=3
).map(
    lambda rows: {"".join(sorted(legs)): row(legs[0], legs[1], **one) for legs, one in rows.items()}
)
histories = st.lists(tested, max_size=12)
asked = st.sampled_from([None, 0.5])


def loop(
    screens: Sequence[Mapping[str, Numbers]], levels: ScreenLevels
) -> list[tuple[str, AlertEvent]]:
    """Pair by pair, screen after screen, from the words of the definition; none is left out."""
    names = {name for screen in screens for name in screen}
    events = [
        event for name in names for event in of_pair([one.get(name) for one in screens], levels)
    ]
    return sorted(events, key=lambda one: (one[1].opened_at, one[0]))


def of_pair(rows: Sequence[Numbers | None], levels: ScreenLevels) -> list[tuple[str, AlertEvent]]:
    events: list[tuple[str, AlertEvent]] = []
    seen, is_open, quiet_until = 0, False, 0.0
    for time, one in zip(range(0, len(rows) * STEP, STEP), rows, strict=True):
        known = one is not None and one["zscore"] is not None
        if not is_open:
            may = time >= quiet_until
            if may and one is not None and known and may_open(one, levels):
                z = one["zscore"]
                events.append((f"{one['symbol_a']}/{one['symbol_b']}", AlertEvent(time, z, z)))
                seen, is_open = time, True
            continue
        pair, event = events[-1]
        if one is not None and known:
            event, seen = moved(pair, event, one, time, levels), time
        elif time - seen >= 3_600:
            event = replace(event, closed_at=time)
        events[-1] = (pair, event)
        is_open = event.closed_at is None
        quiet_until = time + levels.quiet_seconds
    return events


def moved(
    pair: str, event: AlertEvent, one: Numbers, time: int, levels: ScreenLevels
) -> AlertEvent:
    z = one["zscore"]
    if one["symbol_a"] != pair[: len(one["symbol_a"])]:
        z = -z if one["beta"] > 0 else z
    wide = z if event.opened_zscore > 0 else -z
    if wide < levels.close_below:
        return replace(event, closed_at=time, closed_zscore=z)
    return replace(event, peak_zscore=z) if abs(z) > abs(event.peak_zscore) else event


def may_open(one: Numbers, levels: ScreenLevels) -> bool:
    share = one["persistence"]
    return (
        abs(one["zscore"]) > levels.threshold
        and one["qvalue"] is not None
        and one["qvalue"] <= levels.max_qvalue
        and one["edge_bps"] is not None
        and one["edge_bps"] >= levels.min_edge_bps
        and min(one["volume_a"], one["volume_b"]) >= levels.min_volume
        and (levels.min_persistence is None or (share or 0.0) >= levels.min_persistence)
    )


@settings(max_examples=250)
@given(screens=histories, share=asked, quiet=st.sampled_from([0.0, 2.0 * STEP]))
def test_it_is_the_loop(
    screens: list[dict[str, Numbers]], share: float | None, quiet: float
) -> None:
    levels = LEVELS._replace(min_persistence=share, max_open=10, quiet_seconds=quiet)
    events, left_out = run([list(screen.values()) for screen in screens], levels)
    assert [(one.pair, one.event) for one in events] == loop(screens, levels)
    assert not any(left_out)


@settings(max_examples=100)
@given(screens=histories, most=st.integers(1, 3))
def test_never_more_than_may_be_open_and_never_two_of_a_pair(
    screens: list[dict[str, Numbers]], most: int
) -> None:
    levels = LEVELS._replace(max_open=most)
    opened: list[ScreenEvent] = []
    for number, screen in enumerate(screens):
        rows = frame(list(screen.values()))
        result = scan_screen(opened, rows, number * STEP, levels)
        shuffled = scan_screen(opened[::-1], rows.reverse(), number * STEP, levels)
        assert sorted(result.events, key=str) == sorted(shuffled.events, key=str)
        still = [one for one in result.events if one.is_open]
        assert len(still) <= most
        assert len({frozenset(one.pair.split("/")) for one in still}) == len(still)
        assert len([one for one in result.events if one.event.closed_at is None]) == len(still)
        opened = still


def test_a_screen_without_a_row_is_one() -> None:
    assert scan_screen([], frame([]), 0, LEVELS) == ([], 0)


@pytest.mark.parametrize("beta", [0.0, -0.0])
def test_a_hedge_of_nothing_has_a_side_as_well(beta: float) -> None:
    events, _ = run([[row("A", "B", 3.0)], [row("B", "A", 0.0, beta=beta)]])
    assert times(events) == [(0, 1)]
