"""ADF and Engle–Granger of one pair, by statsmodels: for what too few digits are left otherwise.

Pure. Some ms a pair; `spreadlake.quant.cointegration` tests many, and says which need this.
"""

import math
import warnings
from typing import NamedTuple

import numpy as np

from spreadlake.quant.arrays import Floats
from spreadlake.quant.lagged_moments import most_lags
from spreadlake.quant.pair_stats import whole_spread

# scipy and statsmodels take seconds and 100 MB to import: they are imported where they are used,
# in the process that computes, so that the job itself starts at once and stays small.


class UnitRoot(NamedTuple):
    """t-statistic of the level, its p-value, and the lags that AIC chose; NaN: no number."""

    statistic: float = math.nan
    pvalue: float = math.nan
    lag: int = -1


def adf(spread: Floats) -> UnitRoot:
    """Of a series (bars,), with a constant and lags by AIC."""
    from statsmodels.tsa.stattools import adfuller  # noqa: PLC0415 see above

    lag = _best_lag(spread, constant=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of prices that repeat: the numbers say it too
            result = adfuller(spread, lag, regression="c", autolag=None, result_object=False)
    except (ValueError, np.linalg.LinAlgError):
        return UnitRoot()
    return UnitRoot(float(result[0]), float(result[1]), lag)


def engle_granger(a: Floats, b: Floats) -> UnitRoot:
    """Of the closes of two legs (bars,), A on B with a constant, lags by AIC.

    Legs that are all but collinear have the statistic −∞ and the p-value 0, as in statsmodels.
    """
    from statsmodels.tsa.stattools import coint  # noqa: PLC0415 see above

    spread = whole_spread(a, b)
    lag = 0 if spread is None else _best_lag(spread - spread.mean(), constant=False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            statistic, pvalue, _ = coint(a, b, trend="c", maxlag=lag, autolag=None)
    except (ValueError, np.linalg.LinAlgError):
        return UnitRoot()
    return UnitRoot(float(statistic), float(pvalue), lag)


def _best_lag(x: Floats, *, constant: bool) -> int:
    """The number of lagged differences that AIC prefers, as statsmodels' autolag="AIC" chooses it.

    The regressions of all lags are nested: one QR decomposition gives the residuals of each.
    """
    most = min(len(x) // 2 - 1 - constant, most_lags(len(x)))
    moves = np.diff(x)
    lagged = [moves[most - lag : len(moves) - lag] for lag in range(1, most + 1)]
    always = [np.ones(len(moves) - most)] * constant + [x[most:-1]]
    q, _ = np.linalg.qr(np.column_stack(always + lagged))
    shares = q.T @ moves[most:]
    rest = moves[most:] - q @ shares
    explained_later = np.cumsum(shares[::-1] ** 2)[::-1][len(always) :]
    squares = rest @ rest + np.append(explained_later, 0.0)
    with np.errstate(divide="ignore"):
        criterion = len(rest) * np.log(squares) + 2 * np.arange(most + 1)
    return int(np.argmin(criterion))
