"""The closes that slow statistics are computed on: read once for all pairs tested at a bar."""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from analytics_job.stationarity.store import DueTest
from spreadlake.lake import Lake
from spreadlake.lake.analytics.breaks import read_cuts
from spreadlake.lake.analytics.rows import read_rows
from spreadlake.pairs import parse_pair
from spreadlake.quant.arrays import Floats, Ints
from spreadlake.series import BarKey, Prices
from spreadlake.times import timeframe_seconds


@dataclass(frozen=True)
class DueBatch:
    """Tests of one bar and lookback over as many bars.

    closes: (symbols, bars) up to the tests' bar; at_a, at_b: (tests,) its rows of their legs.
    prices: what of the closes is tested.
    """

    due: list[DueTest]
    closes: Floats
    at_a: Ints
    at_b: Ints
    prices: Prices


def read_closes(
    db: sqlite3.Connection, lake: Lake, due: Iterable[DueTest], prices: Prices
) -> list[DueBatch]:
    """The tests with their closes, put together where they are of the same bars."""
    groups: dict[tuple[str, int, int], list[DueTest]] = {}
    for one in due:
        groups.setdefault((one.timeframe, one.time, one.lookback), []).append(one)
    return [batch for group in groups.values() for batch in _batches(db, lake, group, prices)]


def _batches(
    db: sqlite3.Connection, lake: Lake, group: list[DueTest], prices: Prices
) -> Iterator[DueBatch]:
    """One for each number of bars that both legs have, mostly the lookback."""
    symbols = sorted({leg for one in group for leg in parse_pair(one.pair)})
    start = _begin(db, group[0])
    closes = {symbol: _closes(db, lake, symbol, group[0], start, prices) for symbol in symbols}
    by_bars: dict[int, list[DueTest]] = {}
    for one in group:
        bars = min(len(closes[leg]) for leg in parse_pair(one.pair))
        by_bars.setdefault(bars, []).append(one)
    for bars, due in by_bars.items():
        legs = [parse_pair(one.pair) for one in due]
        rows = {leg: row for row, leg in enumerate(sorted({s for pair in legs for s in pair}))}
        table = np.empty((len(rows), bars))
        for leg, row in rows.items():
            table[row] = closes[leg][len(closes[leg]) - bars :]
        at_a, at_b = (np.array([rows[pair[side]] for pair in legs]) for side in (0, 1))
        yield DueBatch(due, table, at_a, at_b, prices)


def _begin(db: sqlite3.Connection, due: DueTest) -> int:
    """Time of the bar where the lookback begins: no further back than the last break's end.

    A break that is shorter than a bar, or lies where two bars meet, leaves no bar out.
    """
    length = timeframe_seconds(due.timeframe)
    first, last = due.time // length - due.lookback + 1, due.time // length
    return max([first, *read_cuts(db, length, first + 1, last + 1)]) * length


def _closes(
    db: sqlite3.Connection, lake: Lake, symbol: str, due: DueTest, start: int, prices: Prices
) -> Floats:
    """The closes from `start` up to the test's bar that lead to it without a hole."""
    key = BarKey(symbol, due.timeframe)
    rows = read_rows(db, lake, key, ("time", "close"), start, due.time + 1)
    if prices == "log":  # a close that is not above 0 has no logarithm: a hole
        rows = [row for row in rows if row[1] > 0]
    times, closes = (np.array([row[at] for row in rows]) for at in (0, 1))
    return closes[_unbroken(times, due.time, timeframe_seconds(due.timeframe)) :].astype(np.float64)


def _unbroken(times: Ints, last: int, length: int) -> int:
    """Where the bars begin that lead to the one at `last` without a hole."""
    expected = last - length * np.arange(len(times))[::-1]
    holes = np.flatnonzero(times != expected)
    return int(holes[-1]) + 1 if len(holes) else 0
