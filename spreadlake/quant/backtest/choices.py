"""Which pairs the screens choose, and from when to when each one may be entered. Pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from spreadlake.pairs import Pair
from spreadlake.quant.arrays import Ints
from spreadlake.quant.screen import ranked


class Choice(NamedTuple):
    """The pairs of a screen that may be entered from the close of the bar `low` on, best first.

    `low` is an absolute number (time // length).
    """

    low: int
    pairs: tuple[Pair, ...]


class Stretch(NamedTuple):
    """Absolute bars [low, high) at whose closes a pair may be entered: chosen by screens in a row.

    `ranks` are its places among the chosen, each from one bar on: (bar, rank from 0 on).
    """

    pair: Pair
    low: int
    high: int
    ranks: tuple[tuple[int, int], ...]

    def rank_at(self, numbers: Ints) -> Ints:
        """(bars,) its place by the newest screen at each of these bars."""
        begins, ranks = np.array(self.ranks, dtype=np.int64).T
        return np.asarray(ranks[np.searchsorted(begins, numbers, side="right") - 1])


def chosen_pairs(rows: pl.DataFrame, max_qvalue: float, top: int) -> tuple[Pair, ...]:
    """Of a screen's rows the pairs found cointegrated whose way back earns more than it costs.

    Those with qvalue <= max_qvalue and edge_bps > 0, in the screen's order (by p-value), the
    first `top` of them.
    """
    found = ranked(rows.filter(pl.col("edge_bps") > 0), max_qvalue=max_qvalue, top=top)
    return tuple(Pair(a, b) for a, b in found.select("symbol_a", "symbol_b").iter_rows())


def stretches_of(choices: Sequence[Choice], end: int) -> list[Stretch]:
    """In order of their first bars; `choices` rise, and the last one holds until the bar `end`."""
    found: list[Stretch] = []
    open_ones: dict[Pair, Stretch] = {}
    for low, high, pairs in _spans(choices, end):
        now = {pair: rank for rank, pair in enumerate(pairs)}
        found += [one for pair, one in open_ones.items() if pair not in now]
        open_ones = {
            pair: _longer(open_ones.get(pair, Stretch(pair, low, low, ())), high, rank)
            for pair, rank in now.items()
        }
    return sorted([*found, *open_ones.values()], key=lambda one: one.low)


def _spans(choices: Iterable[Choice], end: int) -> Iterable[tuple[int, int, tuple[Pair, ...]]]:
    """From which bar to which (exclusive) each choice is the newest."""
    known = list(choices)
    for choice, later in zip(known, [*known[1:], Choice(end, ())], strict=True):
        high = min(later.low, end)
        if choice.low < high:
            yield choice.low, high, choice.pairs


def _longer(one: Stretch, high: int, rank: int) -> Stretch:
    return one._replace(high=high, ranks=(*one.ranks, (one.high, rank)))
