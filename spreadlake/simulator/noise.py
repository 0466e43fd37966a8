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

__all__ = [
    "Bools",
    "Floats",
    "Ints",
    "brownian",
    "bumps",
    "key_of",
    "normal",
    "reverting",
    "uniform",
]

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
# Tents of 2**_SPLIT seconds and longer are straight between multiples of half of that.
_SPLIT = 3
_NODES = 2.0 ** (_SPLIT - 1)


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


def _by_cell(key: int, cells: Ints, draw: Callable[[int, Ints], Floats] = normal) -> Floats:
    """`draw(key, cells)`; each cell is drawn once, however many instants lie in it."""
    first = int(cells.min(initial=cells[0]))
    drawn = draw(key, np.arange(first, int(cells.max(initial=first)) + 1))
    value: Floats = drawn[cells - first]
    return value


def _bridges(key: int, seconds: Floats, powers: range) -> Floats:
    """Sum of the tents in the cells of 2**power seconds: a bridge over each of the longest."""
    total = np.zeros_like(seconds)
    for power in powers:
        length = 2.0**power
        position = seconds / length
        cell = np.floor(position)
        tent = 1.0 - np.abs(2.0 * (position - cell) - 1.0)
        height = _by_cell(key_of(key, power), cell.astype(np.int64))
        total += np.sqrt(length) / 2.0 * tent * height
    return total


def _corners(key: int, seconds: Floats, length: float) -> Floats:
    """Straight lines between independent values at the ends of cells of `length` seconds."""
    position = seconds / length
    cell = np.floor(position)
    ends = cell.astype(np.int64)
    corner = key_of(key, "corner")
    left, right = _by_cell(corner, ends), _by_cell(corner, ends + 1)
    line: Floats = np.sqrt(length) * (left + (right - left) * (position - cell))
    return line


def _straight(path: Callable[[Floats], Floats], seconds: Floats) -> Floats:
    """`path`, which is straight between whole multiples of _NODES seconds, at any instants.

    The nodes do not depend on what is asked for: any piece has the very numbers of the whole.
    """
    first, last = math.floor(seconds.min() / _NODES), math.ceil(seconds.max() / _NODES)
    nodes = _NODES * np.arange(first, last + 2, dtype=np.float64)
    between: Floats = np.interp(seconds, nodes, path(nodes))
    return between


def brownian(key: int, seconds: Floats, shortest: int = -1, longest: int = 21) -> Floats:
    """A Brownian path of variance 1 per second, over spans up to 2**longest seconds.

    Over longer spans it does not wander off: its values there are independent, with a standard
    deviation of about 2**(longest / 2). `seconds` are Unix seconds, any number of them; the cost
    is that of the span from the first to the last.
    """
    powers, split = range(shortest, longest + 1), max(_SPLIT - shortest, 0)

    def slow(nodes: Floats) -> Floats:
        return _corners(key, nodes, 2.0**longest) + _bridges(key, nodes, powers[split:])

    return _straight(slow, seconds) + _bridges(key, seconds, powers[:split])


def reverting(key: int, seconds: Floats, longest: int, shortest: int = -1) -> Floats:
    """Noise of standard deviation near 1 that forgets itself within about 2**longest seconds.

    Two Brownian bridges, one half a cell behind the other, so that no instant is pinned to 0.
    """
    length = 2.0**longest
    powers, split = range(shortest, longest + 1), max(_SPLIT - shortest, 0)
    total = np.zeros_like(seconds)
    for half, moved in ((0, seconds), (1, seconds + length / 2.0)):
        own = key_of(key, half)
        total += _straight(lambda at, own=own: _bridges(own, at, powers[split:]), moved)  # type: ignore[misc]
        total += _bridges(own, moved, powers[:split])
    scaled: Floats = total / np.sqrt(0.31 * length)
    return scaled


def bumps(key: int, seconds: Floats, every: float, decay: float) -> Floats:
    """Sudden moves of either sign that decay: at most one in each `every` seconds.

    Sizes are mostly between 0 and 1.5; a third of the cells has none. `decay` is the time
    constant in seconds, and must be well below `every`.
    """
    now = np.floor(seconds / every).astype(np.int64)
    total = np.zeros_like(seconds)
    for back in range(3):
        cell = now - back
        start = (cell + _by_cell(key_of(key, "start"), cell, uniform)) * every
        draw = _by_cell(key_of(key, "size"), cell, uniform)
        size = np.where(draw > 1.0 / 3.0, 0.5 + draw, 0.0)
        sign = np.where(_by_cell(key_of(key, "sign"), cell, uniform) < 0.5, -1.0, 1.0)
        age = seconds - start
        shape = np.where(age > 0.0, np.exp(-np.maximum(age, 0.0) / decay), 0.0)
        total += sign * size * shape * np.minimum(np.maximum(age, 0.0), 1.0)
    return total
