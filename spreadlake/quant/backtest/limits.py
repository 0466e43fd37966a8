"""Which of the positions that many pairs would open are opened, within limits of all. Pure."""

import heapq
import math
from dataclasses import dataclass

import numpy as np

from spreadlake.arguments import finite_of, whole_of
from spreadlake.errors import InputError
from spreadlake.quant.arrays import Floats, Ints

_REMEDIES = {
    "positions": "name 1 or more",
    "notional": "name what both legs of all positions together may cost",
}


@dataclass(frozen=True)
class Limits:
    """How many positions may be held at a time, and of what gross value; None: no such limit.

    `notional` is in the quote currency, of both legs. InputError for values that let nothing in.
    """

    positions: int | None = None
    notional: float | None = None

    def __post_init__(self) -> None:
        for name, remedy in _REMEDIES.items():
            value = getattr(self, name)
            if value is None:
                continue
            plain = finite_of(f"max_{name}", value)
            if plain <= 0:
                raise InputError(f"max_{name} {plain:g} lets nothing in: {remedy}")
            if name == "positions":
                plain = whole_of("max_positions", value, 1, remedy)
            object.__setattr__(self, name, plain)


@dataclass(frozen=True)
class Wanted:
    """Positions that would be opened (wanted,), each as if it were the only one.

    signal, closed, again: numbers of bars, on one scale for all pairs. It is decided at the close
    of `signal`; what it takes is free for decisions from the close of `closed` on, and its pair
    may decide again from the close of `again` on. pair: number of the pair, in its direction;
    legs: number of its two symbols, the same whichever way round. rank: who comes first at one
    bar. gross: value of both legs, as far as it is known when it is decided.
    """

    signal: Ints
    closed: Ints
    again: Ints
    pair: Ints
    legs: Ints
    rank: Ints
    gross: Floats


def within_limits(wanted: Wanted, limits: Limits) -> Ints:
    """Numbers of those that are opened, in the order in which they are decided.

    One bar after the other, and at one bar by rank: a position is opened where its two symbols
    have none yet, its pair may decide, and the limits bear it beside those that are held or wait
    for their fill; one that they do not bear is passed over, and those after it are looked at.
    """
    taken: list[int] = []
    held: list[tuple[int, float]] = []  # (closed, gross), the first to be closed first
    free: dict[int, int] = {}  # by legs: from which bar on they may be held again
    again: dict[int, int] = {}  # by pair: from which bar on it may decide
    order = np.lexsort((wanted.rank, wanted.signal))
    columns = wanted.signal, wanted.closed, wanted.again, wanted.pair, wanted.legs
    rows = zip(*(column[order].tolist() for column in columns), strict=True)
    for at, gross, row in zip(order.tolist(), wanted.gross[order].tolist(), rows, strict=True):
        signal, closed, later, pair, legs = row
        while held and held[0][0] <= signal:
            heapq.heappop(held)
        busy = signal < free.get(legs, signal) or signal < again.get(pair, signal)
        if not busy and _bear(limits, held, gross):
            heapq.heappush(held, (closed, gross))
            free[legs], again[pair] = closed, later
            taken.append(at)
    return np.array(taken, dtype=np.int64)


def _bear(limits: Limits, held: list[tuple[int, float]], gross: float) -> bool:
    """Whether one more of that value is within the limits."""
    if limits.positions is not None and len(held) >= limits.positions:
        return False
    if limits.notional is None:
        return True
    return math.fsum([gross, *(other for _, other in held)]) <= limits.notional
