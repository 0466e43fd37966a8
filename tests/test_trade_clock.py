"""The clock follows what can be believed, in any batches, and stands for nobody's mistake."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spreadlake.trade_clock import NEAR_MS, TradeClock

HOUR = 3_600_000
NOW = 1_700_000_000_000
Rows = Sequence[tuple[str, int]]


def _taken(clock: TradeClock, rows: Rows, *cuts: int) -> TradeClock:
    edges = [0, *sorted(cuts), len(rows)]
    for low, high in pairwise(edges):
        part = rows[low:high]
        times = np.array([time_ms for _, time_ms in part], np.int64)
        clock.take(times, lambda at, part=part: part[at][0])  # type: ignore[misc]
    return clock


def _watermark(*rows: tuple[str, int]) -> int | None:
    """Of a lake that was at NOW when these trades came; times are from there."""
    watermark = _taken(TradeClock(NOW), [(s, NOW + t) for s, t in rows]).watermark_ms
    return None if watermark is None else watermark - NOW


def _market(seconds: int, symbols: str = "AB", start: int = 0) -> list[tuple[str, int]]:
    return [(s, start + 1000 * n + 7 * i) for n in range(seconds) for i, s in enumerate(symbols)]


@st.composite
def _rows(draw: st.DrawFn) -> list[tuple[str, int]]:
    """A market whose trades are late, early, wrongly dated, and that pauses."""
    now, rows = NOW, []
    odd = st.sampled_from([0] * 8 + [-HOUR, -30_000, 20_000, 59_000, 61_000, HOUR, 24 * HOUR])
    pause = st.sampled_from([0] * 8 + [100, 30_000, 61_000, 3 * HOUR])
    for _ in range(draw(st.integers(0, 40))):
        now += draw(pause) + draw(st.integers(0, 400))
        rows.append((draw(st.sampled_from("ABC")), now + draw(odd)))
    return rows


@given(_rows(), st.lists(st.integers(0, 40), max_size=6), st.sampled_from([None, NOW]))
def test_any_batching_gives_the_same_clock(
    rows: Rows, cuts: Sequence[int], begin: int | None
) -> None:
    whole = _taken(TradeClock(begin), rows)
    parts = _taken(TradeClock(begin), rows, *(min(cut, len(rows)) for cut in cuts))
    assert parts == whole


@given(_rows())
def test_it_never_goes_back_nor_beyond_what_it_was_told(rows: Rows) -> None:
    clock = TradeClock(NOW)
    before = NOW
    for n, row in enumerate(rows):
        _taken(clock, [row])
        assert clock.watermark_ms is not None
        assert before <= clock.watermark_ms <= max(NOW, *(t for _, t in rows[: n + 1]))
        before = clock.watermark_ms


@given(st.integers(1, 50), st.integers(NEAR_MS + 1, 365 * 24 * HOUR), st.data())
def test_one_wrongly_dated_trade_changes_nothing(
    seconds: int, ahead: int, data: st.DataObject
) -> None:
    rows = [(s, NOW + t) for s, t in _market(seconds + 1, "ABC")]
    at = data.draw(st.integers(0, len(rows) - 4))
    wrong = [*rows[:at], (rows[at][0], rows[at][1] + ahead), *rows[at:]]
    for begin in (None, NOW):
        clock = _taken(TradeClock(begin), wrong)
        assert clock.watermark_ms == rows[-1][1]
        assert clock.refuted == Counter({rows[at][0]: 1})


def test_a_symbol_that_is_always_ahead_moves_nobody_while_others_trade() -> None:
    rows = sorted([("A", t + HOUR) for t in range(0, 300_000, 100)], key=lambda row: row[1])
    mixed = []
    for n, row in enumerate(rows):
        mixed.append(row)
        if n % 50 == 0:
            mixed.append(("B", row[1] - HOUR))
    assert _watermark(*mixed) == 295_000


def test_two_symbols_bear_each_other_out_at_once() -> None:
    assert _watermark(("A", 3 * HOUR), ("B", 3 * HOUR + 5)) == 3 * HOUR + 5
    assert _watermark(("A", 9 * HOUR), ("B", 3 * HOUR)) == 3 * HOUR


@pytest.mark.parametrize("pause", [61_000, HOUR, 400 * 24 * HOUR])
@pytest.mark.parametrize("apart", [50, 7_000, 5 * 60_000])
def test_the_only_symbol_that_trades_moves_it_after_a_break(pause: int, apart: int) -> None:
    times = range(pause, pause + 20 * 60_000, apart)
    assert _watermark(*(("A", t) for t in times)) >= times[-1] - NEAR_MS  # type: ignore[operator]


def test_the_only_symbol_that_trades_moves_it_step_by_step() -> None:
    assert _watermark(*(("A", t) for t in range(0, 600_000, 30_000))) == 570_000


def test_one_symbol_that_is_dated_wrongly_once_is_refuted_by_itself() -> None:
    assert _watermark(("A", 100), ("A", HOUR), ("A", 200), ("A", 300)) == 300


def test_repaired_trades_refute_nothing() -> None:
    assert _watermark(("A", 3 * HOUR), ("B", -HOUR), ("B", 3 * HOUR)) == 3 * HOUR


def test_before_the_first_trade_another_symbol_or_some_seconds_decide() -> None:
    def after(*rows: tuple[str, int]) -> int | None:
        return _taken(TradeClock(), rows).watermark_ms

    assert after(("A", NOW)) is None
    assert after(("A", NOW), ("B", NOW + 5)) == NOW + 5
    assert after(("A", NOW + HOUR), ("B", NOW)) == NOW
    assert after(("A", NOW), ("A", NOW + 4_999)) is None
    assert after(("A", NOW), ("A", NOW + 5_000)) == NOW + 5_000
    assert after(("A", NOW), ("A", NOW + HOUR)) == NOW
    assert after(("A", NOW + HOUR), ("A", NOW), ("A", NOW + 5_000)) == NOW + 5_000


def test_a_copy_leaves_the_clock_as_it_is() -> None:
    clock = _taken(TradeClock(NOW), [("A", NOW + HOUR)])
    _taken(clock.copy(), [("B", NOW + HOUR)])
    assert clock.watermark_ms == NOW
    assert _taken(clock, [("B", NOW + 1)]).refuted == Counter({"A": 1})


@given(
    st.none() | st.integers(1, 10) | st.just(NOW),
    st.lists(
        st.tuples(
            st.none() | st.integers(1, 10) | st.integers(NOW - HOUR, NOW + HOUR),
            st.lists(st.integers(1, 10) | st.integers(NOW - HOUR, NOW + HOUR), max_size=4),
        ).filter(lambda symbol: symbol[0] is not None or symbol[1]),
        max_size=6,
    ),
)
def test_the_greatest_times_of_many_symbols_are_those_of_each(
    watermark: int | None, symbols: list[tuple[int | None, list[int]]]
) -> None:
    expected = []
    for known, times in symbols:
        of_it = times if known is None else [*times, known]
        near = [t for t in of_it if watermark is None or t <= watermark + NEAR_MS]
        expected.append(max(near, default=watermark))
    found = TradeClock(watermark).greatest(
        np.array([t for _, times in symbols for t in times], np.int64),
        np.array([len(times) for _, times in symbols], np.int64),
        np.array([-1 if known is None else known for known, _ in symbols], np.int64),
    )
    assert found.tolist() == expected
