"""Sorts a batch of trades into what is new, what is there already and what is missing. Pure.

Symbols go by their number in the configuration (`code`), so that a batch is two integer arrays.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spreadlake.lake.ticks.id_ranges import GapChange, HeldIds, absorb
from spreadlake.trades import IdRange

Index = NDArray[np.int64]


class SymbolPlan(NamedTuple):
    """What a batch brings for one symbol.

    `fresh` counts the new trades, `passed` the new ids that are of no trade; `latest` is the
    position in the batch of the newest trade, None where the batch has none that is newer.
    """

    code: int
    held: HeldIds
    fresh: int
    duplicates: int
    latest: int | None
    passed: int = 0
    opened: tuple[IdRange, ...] = ()
    changed: tuple[GapChange, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What to store of a batch: positions of the new trades by symbol and id, and why."""

    keep: Index
    symbols: list[SymbolPlan]
    unknown: int = 0


@dataclass
class IdTracker:
    """What is held of each symbol; changes only by `apply`, once a plan is durable."""

    held: dict[int, HeldIds] = field(default_factory=dict)

    def plan(self, codes: Index, ids: Index, real: NDArray[np.bool_] | None = None) -> Plan:
        """Plans a batch: `codes` and `ids` of its events in any order; code -1 is not wanted.

        `real` tells which of them are trades; None: all of them.
        """
        order = _by_code_and_id(codes, ids)
        unknown = int(np.searchsorted(codes[order], 0))
        order = order[unknown:]
        if not order.size:
            return Plan(order, [], unknown)
        codes, ids = codes[order], ids[order]
        trades = np.ones(order.size, bool) if real is None else real[order]
        starts = np.flatnonzero(np.concatenate(([True], codes[1:] != codes[:-1])))
        uneven = self._jumps(codes, ids, starts) | ~np.logical_and.reduceat(trades, starts)
        ends = np.concatenate((starts[1:], [order.size]))
        stored, symbols = np.ones(order.size, bool), []
        spans = (starts, ends, codes[starts], ids[starts], ids[ends - 1], order[ends - 1], uneven)
        # As plain numbers at once: a market's batch has nearly as many symbols as trades.
        for start, end, code, first, last, latest, odd in zip(
            *(values.tolist() for values in spans), strict=True
        ):
            if not odd:
                symbols.append(self._plain(code, IdRange(first, last), latest))
                continue
            part = slice(start, end)
            symbol, stored[part] = self._uneven(code, ids[part], order[part], trades[part])
            symbols.append(symbol)
        return Plan(order[stored], symbols, unknown)

    def apply(self, plan: Plan) -> None:
        """Takes over what a plan says, after its trades were stored."""
        for symbol in plan.symbols:
            self.held[symbol.code] = symbol.held

    def replace_gaps(self, code: int, gaps: tuple[IdRange, ...]) -> None:
        """Takes over how the gaps of a symbol are divided on record.

        Of one whose trades are yet to come nothing is held: after a restart ids of no trades are
        not known any more, and the gaps between them still are.
        """
        if code in self.held:
            self.held[code] = self.held[code]._replace(gaps=gaps)

    def _jumps(self, codes: Index, ids: Index, starts: Index) -> NDArray[np.bool_]:
        """For each symbol of the batch, whether its ids do anything but count up by 1."""
        held = (self.held.get(code) for code in codes[starts].tolist())
        lasts = [-1 if one is None else one.last for one in held]
        previous = np.concatenate(([0], ids[:-1]))
        previous[starts] = np.where(np.array(lasts) < 0, ids[starts] - 1, lasts)
        return np.add.reduceat(ids - previous != 1, starts).astype(bool)

    def _plain(self, code: int, ids: IdRange, latest: int) -> SymbolPlan:
        """Nearly every part of a batch: trades that follow on, one by one, from what is held."""
        held = self.held.get(code)
        first, gaps = (held.first, held.gaps) if held else (ids.first, ())
        return SymbolPlan(code, HeldIds(first, ids.last, gaps), ids.size, 0, latest)

    def _uneven(
        self, code: int, ids: Index, positions: Index, trades: NDArray[np.bool_]
    ) -> tuple[SymbolPlan, NDArray[np.bool_]]:
        """Any other part, with the mask of what is to be stored of it."""
        held = self.held.get(code)
        found = absorb(held, ids)
        stored = found.fresh & trades
        fresh, new = int(stored.sum()), int(found.fresh.sum())
        newer = stored if held is None else stored & (ids > held.last)
        latest = int(positions[newer][-1]) if newer.any() else None
        return SymbolPlan(
            code,
            found.held,
            fresh,
            ids.size - new,
            latest,
            new - fresh,
            found.opened,
            found.changed,
        ), stored


def _by_code_and_id(codes: Index, ids: Index) -> Index:
    # A stable sort of small integers is a radix sort, and trades mostly come in order.
    order = np.argsort(codes.astype(np.int16), kind="stable")
    sorted_codes, sorted_ids = codes[order], ids[order]
    falls = (sorted_ids[1:] < sorted_ids[:-1]) & (sorted_codes[1:] == sorted_codes[:-1])
    return np.lexsort((ids, codes)) if falls.any() else order
