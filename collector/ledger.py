"""Sorts a batch of trades into what is new, what is there already and what is missing. Pure.

Symbols go by their number in the configuration (`code`), so that a batch is two integer arrays.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from collector.gaps import Held, HoleChange, IdRange, absorb

__all__ = ["Ledger", "Plan", "SymbolPlan"]

Index = NDArray[np.int64]


class SymbolPlan(NamedTuple):
    """What a batch brings for one symbol.

    `latest` is the position in the batch of the trade with the greatest id, None where that id
    was held before.
    """

    code: int
    held: Held
    fresh: int
    duplicates: int
    latest: int | None
    opened: tuple[IdRange, ...] = ()
    changed: tuple[HoleChange, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What to store of a batch: positions of the new trades by symbol and id, and why."""

    keep: Index
    symbols: list[SymbolPlan]
    unknown: int = 0


@dataclass
class Ledger:
    """What is held of each symbol; changes only by `apply`, once a plan is durable."""

    held: dict[int, Held] = field(default_factory=dict)

    def plan(self, codes: Index, ids: Index) -> Plan:
        """Plans a batch: `codes` and `ids` of its trades in any order; code -1 is not wanted."""
        order = _by_code_and_id(codes, ids)
        unknown = int(np.searchsorted(codes[order], 0))
        order = order[unknown:]
        if not order.size:
            return Plan(order, [], unknown)
        codes, ids = codes[order], ids[order]
        starts = np.flatnonzero(np.concatenate(([True], codes[1:] != codes[:-1])))
        jumps = self._jumps(codes, ids, starts)
        ends = np.concatenate((starts[1:], [order.size]))
        bounds = zip(starts.tolist(), ends.tolist(), jumps.tolist(), strict=True)
        parts = [self._part(codes, ids, order, *bound) for bound in bounds]
        kept = [keep for keep, _ in parts]
        return Plan(np.concatenate(kept), [symbol for _, symbol in parts], unknown)

    def apply(self, plan: Plan) -> None:
        """Takes over what a plan says, after its trades were stored."""
        for symbol in plan.symbols:
            self.held[symbol.code] = symbol.held

    def divide(self, code: int, holes: tuple[IdRange, ...]) -> None:
        """Takes over how the holes of a symbol are divided on record."""
        self.held[code] = self.held[code]._replace(holes=holes)

    def _jumps(self, codes: Index, ids: Index, starts: Index) -> NDArray[np.bool_]:
        """For each symbol of the batch, whether its ids do anything but count up by 1."""
        held = (self.held.get(code) for code in codes[starts].tolist())
        lasts = [-1 if one is None else one.last for one in held]
        previous = np.concatenate(([0], ids[:-1]))
        previous[starts] = np.where(np.array(lasts) < 0, ids[starts] - 1, lasts)
        return np.add.reduceat(ids - previous != 1, starts).astype(bool)

    def _part(
        self, codes: Index, ids: Index, order: Index, start: int, end: int, jumps: bool
    ) -> tuple[Index, SymbolPlan]:
        code, last = int(codes[start]), int(ids[end - 1])
        held = self.held.get(code)
        positions = order[start:end]
        if not jumps:
            first, holes = (held.first, held.holes) if held else (int(ids[start]), ())
            grown = Held(first, last, holes)
            return positions, SymbolPlan(code, grown, end - start, 0, int(positions[-1]))
        found = absorb(held, ids[start:end])
        keep = positions[found.fresh]
        ahead = bool(keep.size) and (held is None or last > held.last)
        latest = int(keep[-1]) if ahead else None
        duplicates = end - start - keep.size
        plan = SymbolPlan(
            code, found.held, keep.size, duplicates, latest, found.opened, found.changed
        )
        return keep, plan


def _by_code_and_id(codes: Index, ids: Index) -> Index:
    # A stable sort of small integers is a radix sort, and trades mostly come in order.
    order = np.argsort(codes.astype(np.int16), kind="stable")
    sorted_codes, sorted_ids = codes[order], ids[order]
    falls = (sorted_ids[1:] < sorted_ids[:-1]) & (sorted_codes[1:] == sorted_codes[:-1])
    return np.lexsort((ids, codes)) if falls.any() else order
