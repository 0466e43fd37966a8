"""Trades of one symbol as columns."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class TradeColumns:
    """Trades of one symbol, in order of id: arrays of the same length.

    `times_ms` are trade times; `prices` and `qtys` are the doubles nearest to the decimal text.
    """

    ids: NDArray[np.int64]
    times_ms: NDArray[np.int64]
    prices: NDArray[np.float64]
    qtys: NDArray[np.float64]
    buyer_is_maker: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def empty(cls) -> Self:
        """No trades."""
        whole, real = np.empty(0, np.int64), np.empty(0, np.float64)
        return cls(whole, whole, real, real, np.empty(0, np.bool_))

    @classmethod
    def concatenate(cls, parts: Iterable[Self]) -> Self:
        """The trades of all parts, in their order."""
        columns = list(
            zip(
                *((p.ids, p.times_ms, p.prices, p.qtys, p.buyer_is_maker) for p in parts),
                strict=True,
            )
        )
        return cls(*map(np.concatenate, columns)) if columns else cls.empty()
