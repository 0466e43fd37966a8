"""From when to when each position is held: the rules of a back-test, without money. Pure.

For each condition on the signals a table says where it holds next, from any row on; lanes share
the tables. Each signal that could open a position is followed to its end through them, all signals
at once; what is left for a loop is to step from one position's end to the next signal.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from spreadlake.quant.arrays import Bools, Ints
from spreadlake.quant.backtest.inputs import Bars, Rules, Signals

REASONS = ("exit", "stop", "time", "end")
"""Why a position is closed; where two hold at one bar, the first of them is told."""

_EXIT, _STOP, _TIME, _END = range(4)
_MOST_BYTES = 256 * 1024 * 1024  # of tables that are kept

Rows = NDArray[np.int32]
_Condition = tuple[str, *tuple[float | None, ...]]


@dataclass(frozen=True)
class Positions:
    """Positions (trades,) in order of time, as rows of the bars.

    `side` 1 is long the spread, -1 short. It is decided at the close of row `signal` and filled at
    the open of row `fill`; closed likewise by `exit_signal` and `exit_fill`. For the reason `end`
    these are the last row, and the one after it.
    """

    side: Ints
    signal: Ints
    fill: Ints
    exit_signal: Ints
    exit_fill: Ints
    reason: Ints

    def __len__(self) -> int:
        return len(self.side)

    @property
    def bars_held(self) -> Ints:
        """Bars that closed from each one's fill on, until it was closed."""
        return self.exit_fill - self.fill

    def some(self, chosen: Ints) -> Self:
        """Those of the numbers `chosen`."""
        return type(self)(*(getattr(self, field.name)[chosen] for field in fields(self)))


def opens(signals: Signals, rules: Rules) -> Bools:
    """(rows,) whether a row's z-score opens a position where there is none, and the gates let it.

    A number that is missing opens nothing.
    """
    opening = (np.abs(signals.zscore) >= rules.entry) & np.isfinite(signals.beta)
    if rules.min_correlation is not None:
        opening &= signals.correlation >= rules.min_correlation
    if rules.max_adf_pvalue is not None:
        assert signals.adf_pvalue is not None, "the gate needs signals.adf_pvalue"  # noqa: S101
        opening &= signals.adf_pvalue <= rules.max_adf_pvalue
    return np.asarray(opening)


@dataclass(frozen=True)
class Openings:
    """Rows that would each open a position, in order of time, and what would become of it.

    A `fill` that is the number of rows is beyond the bars, and so is the end of such a position.
    `again` (openings,) is the first row at whose close the next position may be decided.
    """

    positions: Positions
    again: Ints


class _Candidates(NamedTuple):
    """Rows (openings,) at whose closes a position may be decided; what follows is for all of them.

    `side_fill` is the row of the fill for a long, that and the length of a table for a short: where
    to look in a table of both sides. `rank` (rows + 2,): how many of them lie before each row.
    """

    signal: Rows
    fill: Ints
    side_fill: Ints
    rank: Rows

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in self)

    def some(self, allowed: Bools) -> "_Candidates":
        """Those at rows that are `allowed`; `rank` stays that of all."""
        some = allowed[self.signal]
        return self._replace(
            signal=self.signal[some], fill=self.fill[some], side_fill=self.side_fill[some]
        )


class _Ends(NamedTuple):
    """(openings,) the row at whose close each one's end is decided, of its fill, and what after.

    `again`: the first row at whose close the next position may be decided.
    """

    decided: Rows
    closed: Rows
    again: Rows


class PositionFinder:
    """Finds the positions of one lane after another over the same bars and signals.

    Tables have (rows + 2,), so that the row after the last one, too, has one after it.
    """

    def __init__(self, bars: Bars, signals: Signals) -> None:
        self._signals = signals
        self._rows = len(bars)
        self._next_fill = self._next(bars.tradable)
        self._kept: OrderedDict[_Condition, Rows | _Candidates] = OrderedDict()

    def find(self, rules: Rules) -> Positions:
        """Those that the rules make."""
        every = self._candidates(rules)
        ends = self._ends(rules, every.fill, every.side_fill)
        chosen = self._chain(every.fill, every.rank.take(ends.again))
        return self._positions(rules, every, chosen, ends)

    def openings(self, rules: Rules, allowed: Bools) -> Openings:
        """What each row of those `allowed` (rows,) would open, were nothing else open."""
        every = self._candidates(rules).some(allowed)
        ends = self._ends(rules, every.fill, every.side_fill)
        found = self._positions(rules, every, np.arange(len(every.fill)), ends)
        return Openings(found, ends.again.astype(np.int64))

    def _ends(self, rules: Rules, fill: Ints, side_fill: Ints) -> _Ends:
        decided = self._exits(rules.exit).take(side_fill)
        stopped = None
        if rules.stop is not None:
            stop = self._stops(rules.stop).take(side_fill)
            stopped = stop < decided
            decided = np.minimum(decided, stop)
        if rules.max_bars is not None:
            time = self._times(rules.max_bars, fill)
            if stopped is not None:
                stopped &= time >= decided
            decided = np.minimum(decided, time)
        after = decided.astype(np.int64) + 1
        again = closed = self._next_fill.take(after)
        if stopped is not None:
            inside = self._inside(rules.entry).take(after)
            again = np.where(stopped, np.maximum(closed, inside), closed)
        return _Ends(decided, closed, again)

    def _times(self, max_bars: int, fill: Ints) -> Rows:
        """At the close of which row a position has been held for long enough.

        A row without a z closes nothing: the next one with a z does.
        """
        return self._with_zscore().take(np.minimum(fill + (int(max_bars) - 1), self._rows))

    def _positions(self, rules: Rules, every: _Candidates, chosen: Ints, ends: _Ends) -> Positions:
        fill, side_fill = every.fill[chosen], every.side_fill[chosen]
        decided, closed = ends.decided[chosen].astype(np.int64), ends.closed[chosen]
        ended = closed == self._rows
        return Positions(
            np.where(side_fill > fill, -1, 1),
            every.signal[chosen].astype(np.int64),
            fill,
            np.where(ended, self._rows - 1, decided),
            closed.astype(np.int64),
            np.where(ended, _END, self._reasons(rules, side_fill, decided)),
        )

    def _reasons(self, rules: Rules, side_fill: Ints, decided: Ints) -> Ints:
        """The first of those that hold at the closes that decided."""
        reason = np.full(len(decided), _TIME)
        if rules.stop is not None:
            reason[self._stops(rules.stop).take(side_fill) == decided] = _STOP
        reason[self._exits(rules.exit).take(side_fill) == decided] = _EXIT
        return reason

    def _chain(self, fill: Ints, following: Rows) -> Ints:
        """The first signal, the first one that may open after its position is closed, and so on."""
        filled = int(np.searchsorted(fill, self._rows))  # later signals are never filled
        chosen, at, after = [], 0, following.data  # quicker to look up than an array
        while at < filled:
            chosen.append(at)
            at = after[at]
        return np.array(chosen, dtype=np.int64)

    def _candidates(self, rules: Rules) -> _Candidates:
        """Rows whose z-score and gates open a position where there is none."""
        key = ("openings", rules.entry, rules.min_correlation, rules.max_adf_pvalue)
        found = self._remembered(key, lambda: self._found(opens(self._signals, rules)))
        assert isinstance(found, _Candidates)  # noqa: S101 for the type checker
        return found

    def _found(self, opening: Bools) -> _Candidates:
        signal = np.flatnonzero(opening)
        fill = self._next_fill[signal + 1].astype(np.int64)
        short = self._signals.zscore[signal] > 0
        rank = np.zeros(self._rows + 2, dtype=np.int32)
        np.cumsum(opening, out=rank[1:-1])
        rank[-1] = len(signal)
        return _Candidates(signal.astype(np.int32), fill, fill + short * len(rank), rank)

    def _exits(self, z: float) -> Rows:
        """Where a long is closed next, then where a short is."""
        zscore = self._signals.zscore
        return self._table(("exit", z), lambda: (zscore >= -z, zscore <= z))

    def _stops(self, z: float) -> Rows:
        zscore = self._signals.zscore
        return self._table(("stop", z), lambda: (zscore <= -z, zscore >= z))

    def _inside(self, z: float) -> Rows:
        return self._table(("inside", z), lambda: (np.abs(self._signals.zscore) < z,))

    def _with_zscore(self) -> Rows:
        return self._table(("any",), lambda: (~np.isnan(self._signals.zscore),))

    def _table(self, key: _Condition, conditions: Callable[[], tuple[Bools, ...]]) -> Rows:
        """Tables of conditions, one after another."""
        table = self._remembered(key, lambda: np.concatenate([*map(self._next, conditions())]))
        assert isinstance(table, np.ndarray)  # noqa: S101 for the type checker
        return table

    def _next(self, holds: Bools) -> Rows:
        """(rows + 2,) the first row from each on where it holds; the number of rows for none."""
        table = np.full(self._rows + 2, self._rows, dtype=np.int32)
        np.copyto(table[:-2], np.arange(self._rows, dtype=np.int32), where=holds)
        np.minimum.accumulate(table[::-1], out=table[::-1])
        return table

    def _remembered(
        self, key: _Condition, make: Callable[[], Rows | _Candidates]
    ) -> Rows | _Candidates:
        """Made once while lanes need it; of more than there is room for the least used go."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        made = self._kept[key] = make()
        while len(self._kept) > 1 and sum(one.nbytes for one in self._kept.values()) > _MOST_BYTES:
            self._kept.popitem(last=False)
        return made
