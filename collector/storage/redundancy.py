"""What each of the connections that carry the same symbols is worth. Pure.

Which of them brought a trade first, and what each alone would have missed: its own ids, whoever
brought them first, jump where it lost some.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Worth(NamedTuple):
    """What a batch adds to the counters, by (name, number of the connection), and how far each is.

    `lasts` are the greatest ids by connection and code of the symbol, -1 where there is none.
    """

    counts: dict[tuple[str, str], float]
    lasts: dict[int, Ints]


class Redundancy:
    """The greatest id of each symbol that each connection has brought, by its number."""

    def __init__(self) -> None:
        self._lasts: dict[int, Ints] = {}

    def weigh(
        self,
        carriers: Sequence[tuple[int, int]],
        codes: Ints,
        ids: Ints,
        kept: Ints,
        repeats: Mapping[int, tuple[Ints, Ints]],
        captured: NDArray[np.bool_],
    ) -> Worth:
        """Weighs a batch of `codes` and `ids`, of which the positions `kept` are stored.

        `carriers` are (number, events) in the order of the batch; `repeats` are codes and ids by
        number. Code -1 is of no symbol; what is not `captured`, by code, is forgotten.
        """
        counts: dict[tuple[str, str], float] = {}
        lasts: dict[int, Ints] = {}
        if not carriers:
            return Worth(counts, lasts)
        numbers = np.repeat(*np.array(carriers, np.int64).reshape(-1, 2).T)
        first = np.bincount(numbers[kept], minlength=1)
        for number in dict.fromkeys(number for number, _ in carriers):
            again = repeats.get(number, (codes[:0], ids[:0]))
            own = numbers == number
            lasts[number], jumps = _jumps(
                self._known(number, captured),
                np.concatenate((codes[own], again[0])),
                np.concatenate((ids[own], again[1])),
            )
            label = str(number)
            counts["first", label] = float(first[number]) if number < first.size else 0.0
            counts["repeated", label] = float(again[0].size)
            counts["single_gaps", label] = float(jumps)
        return Worth(counts, lasts)

    def settle(self, worth: Worth) -> None:
        """Takes over what was weighed, once the batch is durable."""
        self._lasts.update(worth.lasts)

    def lasts(self, number: int) -> Ints:
        """The greatest ids that a connection has brought, by code, -1 where it brought none."""
        return self._lasts.get(number, np.empty(0, np.int64))

    def _known(self, number: int, captured: NDArray[np.bool_]) -> Ints:
        held = self.lasts(number)
        known = np.full(captured.size, -1)
        known[: held.size] = held
        known[~captured] = -1
        return known


def _jumps(lasts: Ints, codes: Ints, ids: Ints) -> tuple[Ints, int]:
    """The greatest ids after these, and how many times they rose by more than 1.

    Ids that are not greater than what there was are late or known, and tell nothing.
    """
    newer = (codes >= 0) & (ids > lasts[codes])
    if not newer.any():
        return lasts, 0
    order = np.lexsort((ids[newer], codes[newer]))
    codes, ids = codes[newer][order], ids[newer][order]
    starts = np.flatnonzero(np.concatenate(([True], codes[1:] != codes[:-1])))
    ends = np.concatenate((starts[1:], [codes.size])) - 1
    previous = np.concatenate(([0], ids[:-1]))
    before = lasts[codes[starts]]
    previous[starts] = np.where(before < 0, ids[starts] - 1, before)
    jumps = int(np.count_nonzero(ids - previous > 1))
    grown = lasts.copy()
    grown[codes[starts]] = ids[ends]
    return grown, jumps
