"""p-values of unit-root statistics (J. G. MacKinnon, 1994), for many at once. Pure.

The response surfaces' coefficients are statsmodels'.
"""

import numpy as np

from spreadlake.quant.rolling import Floats

__all__ = ["pvalues"]


def pvalues(statistics: Floats, series: int) -> Floats:
    """As `mackinnonp(statistic, regression="c", N=series)` of each; NaN stays NaN.

    `series` is 1 for a Dickey–Fuller test and 2 for Engle–Granger's of a pair.
    """
    # Slow to import: only in the process that computes.
    from scipy.special import ndtr  # noqa: PLC0415
    from statsmodels.tsa import adfvalues  # noqa: PLC0415

    at = series - 1
    small, large = adfvalues.tau_c_smallp[at], adfvalues.tau_c_largep[at]
    with np.errstate(invalid="ignore"):
        values = np.where(
            statistics <= adfvalues.tau_star_c[at],
            ndtr(np.polyval(small[::-1], statistics)),
            ndtr(np.polyval(large[::-1], statistics)),
        )
        values = np.where(statistics > adfvalues.tau_max_c[at], 1.0, values)
        values = np.where(statistics < adfvalues.tau_min_c[at], 0.0, values)
    return np.where(np.isnan(statistics), np.nan, values)
