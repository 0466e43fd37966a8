"""Moments of pairs whose legs are given side by side."""

from spreadlake.quant.arrays import Floats, Ints
from spreadlake.quant.legs import Legs
from spreadlake.quant.rolling import Moments


def rolling_moments(
    a: Floats, b: Floats, width: int, start: int, first: Ints, rows: int
) -> Moments:
    """Of a and b (pairs, columns) over the last `width` bars, for the last `rows` columns."""
    legs = Legs.of(a, b, start, first)
    return legs.moments(legs.windows(width, rows))
