"""What is asked for in Python, as plain values: bars, counts, numbers, prices, a span. Pure."""

import math
from operator import index
from typing import SupportsIndex, cast, get_args

import numpy as np

from spreadlake.errors import InputError
from spreadlake.series import Prices
from spreadlake.times import MOST_BARS, iso_utc

_MOST = 10**9  # what counts rows has room for it


def bars_of(name: str, bars: SupportsIndex, least: int = 2, sign: str = " ") -> int:
    """A number of bars, also of NumPy, as Python's own; InputError for what is none.

    `sign` stands between the name and the value in the message.
    """
    whole = _whole(bars)
    if whole is None or not least <= whole <= MOST_BARS:
        raise InputError(
            f"{name}{sign}{bars!r} is not a number of bars from {least} to {MOST_BARS:,}"
        )
    return whole


def whole_of(name: str, value: SupportsIndex, least: int, remedy: str) -> int:
    """A whole number from `least` on; InputError with the `remedy` for anything else."""
    whole = _whole(value)
    if whole is None or not least <= whole <= _MOST:
        raise InputError(
            f"{name} {value!r} is not a whole number from {least} to {_MOST:,}: {remedy}"
        )
    return whole


def threads_of(threads: SupportsIndex) -> int:
    """How many are to compute; InputError for none."""
    return whole_of("threads", threads, 1, "one computes at least")


def number_of(name: str, value: float, least: float, most: float = math.inf) -> float:
    """A finite number from `least` to `most`, as Python's own; InputError for anything else."""
    plain = _finite(value)
    if plain is None or not least <= plain <= most:
        wanted = f"from {least:g} on" if math.isinf(most) else f"from {least:g} to {most:g}"
        raise InputError(f"{name} {value!r} is not a number {wanted}")
    return plain


def finite_of(name: str, value: float) -> float:
    """A finite number, as Python's own; InputError for anything else."""
    plain = _finite(value)
    if plain is None:
        raise InputError(f"{name} {value!r} is not a number that can be used")
    return plain


def is_finite(value: object) -> bool:
    """Whether it is a number, also of NumPy, that a float holds."""
    return _finite(value) is not None


def flag_of(name: str, value: bool) -> bool:
    """True or False, also of NumPy; InputError for anything else."""
    if not isinstance(value, bool | np.bool_):
        raise InputError(f"{name} {value!r} is neither True nor False")
    return bool(value)


def prices_of(prices: str) -> Prices:
    """InputError for what is no kind of prices."""
    if not isinstance(prices, str) or prices not in get_args(Prices):
        raise InputError(f"prices {prices!r} are neither raw nor log")
    return cast("Prices", prices)


def require_span(start: float | None, end: float | None) -> None:
    """InputError where no bar is between the two (Unix seconds; None: open)."""
    if start is not None and end is not None and start >= end:
        raise InputError(
            f"from {iso_utc(start)} is not before to {iso_utc(end)}: there is no bar between them"
        )


def _whole(value: SupportsIndex) -> int | None:
    try:
        return None if isinstance(value, bool) else index(value)
    except TypeError:
        return None


def _finite(value: object) -> float | None:
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        return None
    try:
        return plain if math.isfinite(plain) else None
    except OverflowError:  # a whole number beyond what a float holds
        return None
