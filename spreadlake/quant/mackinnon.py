"""p-values of unit-root statistics (J. G. MacKinnon, 1994), for many at once. Pure.

The response surfaces with a constant, for one series and for two, are those of the paper that
statsmodels has: to import it for twenty numbers takes seconds.
"""

import math
from typing import NamedTuple

import numpy as np

from spreadlake.quant.arrays import Floats


class _Surface(NamedTuple):
    """Polynomials of the statistic below and above `star`; p is 0 below `least`, 1 above `most`."""

    star: float
    least: float
    most: float
    small: tuple[float, ...]
    large: tuple[float, ...]


_SURFACES = {
    1: _Surface(
        star=-1.61,
        least=-18.83,
        most=2.74,
        small=(2.1659, 1.4412, 3.8269e-2),
        large=(1.7339, 9.3202e-1, -1.2745e-1, -1.0368e-2),
    ),
    2: _Surface(
        star=-2.62,
        least=-18.86,
        most=0.92,
        small=(2.92, 1.5012, 3.9796e-2),
        large=(2.1945, 6.4695e-1, -2.9198e-1, -4.2377e-2),
    ),
}


def pvalues(statistics: Floats, series: int) -> Floats:
    """As `mackinnonp(statistic, regression="c", N=series)` of each; NaN stays NaN.

    `series` is 1 for a Dickey–Fuller test and 2 for Engle–Granger's of a pair.
    """
    surface = _SURFACES[series]
    with np.errstate(invalid="ignore"):
        quantiles = np.where(
            statistics <= surface.star,
            np.polyval(surface.small[::-1], statistics),
            np.polyval(surface.large[::-1], statistics),
        )
        values = _normal_distribution(quantiles)
        values = np.where(statistics > surface.most, 1.0, values)
        values = np.where(statistics < surface.least, 0.0, values)
    return np.where(np.isnan(statistics), np.nan, values)


def _normal_distribution(quantiles: Floats) -> Floats:
    # scipy's takes longer to import than a market's p-values take this way.
    scaled = (quantiles * -math.sqrt(0.5)).ravel().tolist()
    return 0.5 * np.fromiter(map(math.erfc, scaled), np.float64, len(scaled)).reshape(
        quantiles.shape
    )
