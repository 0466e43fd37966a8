"""Noise that is a pure function of time: nothing is stepped through to reach an instant.

A value is found by hashing the number of the cell of time that it lies in, so that any minute of
any year costs the same, and is the same in every process. Brownian paths are built as Lévy did,
from a tent-shaped bridge in every cell of every octave, which is exact at any instant.
"""

import hashlib
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
_Words = NDArray[np.uint64]

# The finalizer of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
# generators", 2014) spreads consecutive cells over all 64 bits.
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_SIXTEEN_BITS = np.uint64(0xFFFF)
# Four uniform 16-bit numbers: their sum has this mean and standard deviation.
_SUM_MEAN = 2.0 * 65535.0
_SUM_STD = float(np.sqrt(4.0 * (65536.0**2 - 1.0) / 12.0))


def key_of(*parts: object) -> int:
    """A 64-bit key that names one stream of noise, e.g. `key_of(seed, "BTCUSDT", "size")`."""
    text = "/".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def _words(key: int, cells: Ints) -> _Words:
    x = cells.astype(np.uint64) * _GOLDEN
    x ^= np.uint64(key)
    x ^= x >> np.uint64(30)
    x *= _MIX_1
    x ^= x >> np.uint64(27)
    x *= _MIX_2
    x ^= x >> np.uint64(31)
    return x


def uniform(key: int, cells: Ints) -> Floats:
    """One number in [0, 1) per cell."""
    return (_words(key, cells) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(key: int, cells: Ints) -> Floats:
    """One number per cell, near enough standard normal (the sum of four uniform ones)."""
    x = _words(key, cells)
    total = x & _SIXTEEN_BITS
    for shift in (16, 32, 48):
        total += (x >> np.uint64(shift)) & _SIXTEEN_BITS
    return (total.astype(np.float64) - _SUM_MEAN) / _SUM_STD


def _levy(key: int, seconds: Floats, powers: range, corners: Callable[[Ints], Floats]) -> Floats:
    """Straight lines between `corners` of the longest cells, refined in the middle of every cell.

    The cells are of 2**power seconds. The cost is that of the span from the first to the last of
    `seconds`. A value depends on the cells it lies in and on nothing else that is asked for.
    """
    low, high, length = float(seconds.min()), float(seconds.max()), 2.0 ** powers[-1]
    first, last = _around(low, high, length)
    path = corners(np.arange(first, last + 1))
    for power in reversed(powers):
        height = normal(key_of(key, power), np.arange(first, last))
        finer = np.empty(2 * len(path) - 1)
        finer[::2] = path
        finer[1::2] = (path[:-1] + path[1:]) / 2.0 + math.sqrt(length) / 2.0 * height
        length, before = length / 2.0, 2 * first
        first, last = _around(low, high, length)
        path = finer[first - before : last + 1 - before]
    nodes = length * np.arange(first, last + 1, dtype=np.float64)
    between: Floats = np.interp(seconds, nodes, path)
    return between


def _around(low: float, high: float, length: float) -> tuple[int, int]:
    """The last multiple of `length` up to `low`, and one after it at or after `high`."""
    first = math.floor(low / length)
    return first, max(math.ceil(high / length), first + 1)


def brownian(key: int, seconds: Floats, shortest: int = -1, longest: int = 21) -> Floats:
    """A Brownian path of variance 1 per second, over spans up to 2**longest seconds.

    Over longer spans it does not wander off: its values there are independent, with a standard
    deviation of about 2**(longest / 2). `seconds` are Unix seconds, any number of them.
    """
    deviation, corner = math.sqrt(2.0**longest), key_of(key, "corner")
    powers = range(shortest, longest + 1)
    return _levy(key, seconds, powers, lambda cells: deviation * normal(corner, cells))


def reverting(key: int, seconds: Floats, longest: int, shortest: int = -1) -> Floats:
    """Noise of standard deviation near 1 that forgets itself within about 2**longest seconds.

    Two Brownian bridges, one half a cell behind the other, so that no instant is pinned to 0.
    """
    length, powers = 2.0**longest, range(shortest, longest + 1)
    total = np.zeros_like(seconds)
    for half in (0, 1):
        moved = seconds + half * length / 2.0
        total += _levy(key_of(key, half), moved, powers, lambda cells: np.zeros(len(cells)))
    scaled: Floats = total / np.sqrt(0.31 * length)
    return scaled


def bumps(key: int, seconds: Floats, every: float, decay: float) -> Floats:
    """Sudden moves of either sign that decay: at most one in each `every` seconds.

    Sizes are mostly between 0 and 1.5; a third of the cells has none. `decay` is the time
    constant in seconds, and must be well below `every`, after which a move is over.
    """
    now = np.floor(seconds / every).astype(np.int64)
    first = int(now.min()) - 1
    cells = np.arange(first, int(now.max()) + 1)
    start = (cells + uniform(key_of(key, "start"), cells)) * every
    draw = uniform(key_of(key, "size"), cells)
    size = np.where(draw > 1.0 / 3.0, 0.5 + draw, 0.0)
    size[uniform(key_of(key, "sign"), cells) < 0.5] *= -1.0
    total = np.zeros_like(seconds)
    for back in range(2):
        at = now - back - first
        age = seconds - start[at]
        going = np.flatnonzero((age > 0.0) & (age < every) & (size[at] != 0.0))
        aged = age[going]
        total[going] += size[at[going]] * np.exp(-aged / decay) * np.minimum(aged, 1.0)
    return total
