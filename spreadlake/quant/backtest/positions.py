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


class _Followed(NamedTuple):
    """Rows (openings,) at whose closes one is decided, of what is decided there, and of fills."""

    signal: Rows
    side: Ints
    fill: Rows
    decided: Rows
    reason: Ints
    closed: Rows
    again: Rows

    @property
    def following(self) -> Ints:
        """Which opening may come after each."""
        return np.searchsorted(self.signal, self.again)


class PositionFinder:
    """Finds the positions of one lane after another over the same bars and signals."""

    def __init__(self, bars: Bars, signals: Signals) -> None:
        self._signals = signals
        self._rows = len(bars)
        self._next_fill = self._next(bars.tradable)
        self._tables: OrderedDict[_Condition, Rows] = OrderedDict()

    def find(self, rules: Rules) -> Positions:
        """Those that the rules make."""
        every = self._followed(rules, self._openings(rules))
        return self._positions(every, self._chain(every.fill, every.following))

    def openings(self, rules: Rules, allowed: Bools) -> Openings:
        """What each row of those `allowed` (rows,) would open, were nothing else open."""
        signal = self._openings(rules)
        every = self._followed(rules, signal[allowed[signal]])
        again = every.again.astype(np.int64)
        return Openings(self._positions(every, np.arange(len(again))), again)

    def _followed(self, rules: Rules, signal: Rows) -> _Followed:
        side = np.where(self._signals.zscore[signal] > 0, -1, 1)
        fill = self._next_fill[signal + 1]
        decided, reason = self._decided(rules, side, fill)
        after = np.minimum(decided + 1, self._rows)
        closed = self._next_fill[after]
        again = closed
        if rules.stop is not None:
            stopped = reason == _STOP
            again = np.where(stopped, np.maximum(closed, self._inside(rules.entry)[after]), closed)
        return _Followed(signal, side, fill, decided, reason, closed, again)

    def _positions(self, every: _Followed, chosen: Ints) -> Positions:
        ended = every.closed[chosen] == self._rows
        return Positions(
            every.side[chosen],
            every.signal[chosen].astype(np.int64),
            every.fill[chosen].astype(np.int64),
            np.where(ended, self._rows - 1, every.decided[chosen]).astype(np.int64),
            every.closed[chosen].astype(np.int64),
            np.where(ended, _END, every.reason[chosen]),
        )

    def _decided(self, rules: Rules, side: Ints, fill: Rows) -> tuple[Rows, Ints]:
        """At the close of which row a position filled at `fill` is to be closed, and why."""
        short = side < 0
        decided = np.where(
            short, self._at_most(rules.exit)[fill], self._at_least(-rules.exit)[fill]
        )
        reason = np.full(len(side), _EXIT)
        if rules.stop is not None:
            stop = np.where(
                short, self._at_least(rules.stop)[fill], self._at_most(-rules.stop)[fill]
            )
            reason[stop < decided] = _STOP
            decided = np.minimum(decided, stop)
        if rules.max_bars is not None:
            # A row without a z closes nothing: the next one with a z does.
            closing = np.minimum(fill.astype(np.int64) + int(rules.max_bars) - 1, self._rows)
            time = self._with_zscore()[closing]
            reason[time < decided] = _TIME
            decided = np.minimum(decided, time)
        return decided, reason

    def _chain(self, fill: Rows, following: Ints) -> Ints:
        """The first signal, the first one that may open after its position is closed, and so on."""
        filled = int(np.searchsorted(fill, self._rows))  # later signals are never filled
        chosen, at = [], 0
        while at < filled:
            chosen.append(at)
            at = int(following[at])
        return np.array(chosen, dtype=np.int64)

    def _openings(self, rules: Rules) -> Rows:
        """Rows whose z-score and gates open a position where there is none."""
        key = ("openings", rules.entry, rules.min_correlation, rules.max_adf_pvalue)
        return self._kept(key, lambda: np.flatnonzero(opens(self._signals, rules)).astype(np.int32))

    def _at_least(self, z: float) -> Rows:
        return self._table(("at least", z), lambda: self._signals.zscore >= z)

    def _at_most(self, z: float) -> Rows:
        return self._table(("at most", z), lambda: self._signals.zscore <= z)

    def _inside(self, z: float) -> Rows:
        return self._table(("inside", z), lambda: np.abs(self._signals.zscore) < z)

    def _with_zscore(self) -> Rows:
        return self._table(("any",), lambda: ~np.isnan(self._signals.zscore))

    def _table(self, key: _Condition, condition: Callable[[], Bools]) -> Rows:
        return self._kept(key, lambda: self._next(condition()))

    def _next(self, holds: Bools) -> Rows:
        """(rows + 1,) the first row from each on where it holds; the number of rows for none."""
        table = np.full(self._rows + 1, self._rows, dtype=np.int32)
        np.copyto(table[:-1], np.arange(self._rows, dtype=np.int32), where=holds)
        np.minimum.accumulate(table[::-1], out=table[::-1])
        return table

    def _kept(self, key: _Condition, make: Callable[[], Rows]) -> Rows:
        """Made once while lanes need it; of more than there is room for the least used go."""
        if key in self._tables:
            self._tables.move_to_end(key)
            return self._tables[key]
        made = self._tables[key] = make()
        while sum(table.nbytes for table in self._tables.values()) > _MOST_BYTES:
            self._tables.popitem(last=False)
        return made
