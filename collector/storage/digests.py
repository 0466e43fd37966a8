"""Remembers the newest trades in little room, to tell repeats from contradictions. Pure.

A trade is remembered as 16 bytes: which one it is, and a digest of its time, price, quantity, first
and last single trade.
"""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

# Two to the power of this many trades: some seconds of the liveliest hour of all symbols.
_BITS = 17
_FIBONACCI, _OTHER = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)


class Digests:
    """The newest trades of all symbols; each has one place, and the next one there takes it."""

    def __init__(self) -> None:
        self._keys = np.zeros(2**_BITS, np.uint64)
        self._digests = np.zeros(2**_BITS, np.int64)

    def put(self, codes: Ints, ids: Ints, digests: Ints) -> None:
        """Remembers trades by the code of their symbol and their id."""
        keys, places = _keys(codes, ids)
        self._keys[places] = keys
        self._digests[places] = digests

    def have(self, codes: Ints, ids: Ints, digests: Ints) -> NDArray[np.bool_]:
        """Which of these trades are remembered just so; others may be forgotten, or other ones."""
        keys, places = _keys(codes, ids)
        same: NDArray[np.bool_] = (self._keys[places] == keys) & (self._digests[places] == digests)
        return same


def _keys(codes: Ints, ids: Ints) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    keys = ids.astype(np.uint64) * _FIBONACCI + codes.astype(np.uint64) * _OTHER
    return keys, keys >> np.uint64(64 - _BITS)
