"""Slow statistics of a pair over one lookback: does the spread come back, and how fast? Pure.

Inputs are (bars,) closes of the two legs, the last one at the row's time. A statistic without
meaning (too few bars, no variance) is None.
"""

import math
import warnings
from dataclasses import dataclass

import numpy as np

from spreadlake.quant.pair_stats import hedge_ratio, spread_zscore
from spreadlake.quant.rolling import Floats, rolling_moments

# scipy and statsmodels take seconds and 100 MB to import: they are imported where they are used,
# in the process that computes, so that the job itself starts at once and stays small.

__all__ = ["MIN_BARS", "PairTests", "half_life", "pair_tests", "theil_sen_beta"]

MIN_BARS = 30  # below this the tests' distributions say nothing
_MOST_SLOPES = 1_000  # bars, whose slopes are squared as many


@dataclass(frozen=True)
class PairTests:
    """The numbers of a row of `pair_tests`.

    robust_beta: Theil–Sen slope of A on B. half_life: bars in which half of a deviation of the
    spread is gone. adf_*: augmented Dickey–Fuller on the spread (constant, lags by AIC).
    cointegration_pvalue: Engle–Granger on A and B (constant, lags by AIC).
    """

    robust_beta: float | None
    half_life: float | None
    adf_statistic: float | None
    adf_pvalue: float | None
    cointegration_pvalue: float | None
    observations: int


def pair_tests(a: Floats, b: Floats) -> PairTests:
    """All statistics over the given closes; the spread is A − beta·B with the OLS beta."""
    n = len(a)
    spread = _spread(a, b) if n >= MIN_BARS else None
    if spread is None:
        return PairTests(None, None, None, None, None, n)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of prices that repeat: the numbers say it too
        statistic, pvalue = _adf(spread)
        return PairTests(
            robust_beta=theil_sen_beta(a, b),
            half_life=half_life(spread),
            adf_statistic=statistic,
            adf_pvalue=pvalue,
            cointegration_pvalue=_engle_granger(a, b),
            observations=n,
        )


def theil_sen_beta(a: Floats, b: Floats) -> float | None:
    """Median of the slopes between all pairs of bars whose B differs (P. K. Sen, 1968).

    Of more than 1,000 bars, every second, third, … is taken, from the last one backwards: there
    are as many slopes as bars squared.
    """
    step = -(-len(b) // _MOST_SLOPES)
    a, b = a[::-step], b[::-step]
    if np.ptp(b) == 0:
        return None
    from scipy.stats import theilslopes  # noqa: PLC0415 see above

    return _finite(theilslopes(a, b).slope)


def half_life(spread: Floats) -> float | None:
    """ln(1/2) / ln(φ), in bars, with φ of the AR(1) s_t = c + φ·s_{t−1} fitted by OLS.

    E. Chan, "Algorithmic Trading", 2013, chapter 2, in discrete time. None unless 0 < φ < 1:
    the spread then does not come back, or overshoots at every bar.
    """
    before, after = spread[:-1] - spread[0], spread[1:] - spread[0]
    centred = before - before.mean()
    variance = float(centred @ centred)
    if variance == 0:
        return None
    phi = float(centred @ after) / variance
    return math.log(0.5) / math.log(phi) if 0 < phi < 1 else None


def _spread(a: Floats, b: Floats) -> Floats | None:
    """A − beta·B less its first value, or None where a leg or the spread does not vary.

    No statistic depends on the spread's level, and most lose digits to it.
    """
    first = np.zeros(1, dtype=np.int64)
    leg_a, leg_b = a[None, :], b[None, :]
    m = rolling_moments(leg_a, leg_b, len(a), 0, first, 1)
    beta = hedge_ratio(leg_a, leg_b, m).beta
    std = spread_zscore(leg_a, leg_b, beta, m).std[0, 0]
    if not std > 0 or np.ptp(a) == 0:
        return None
    return np.asarray((a - a[0]) - beta[0, 0] * (b - b[0]))


def _adf(spread: Floats) -> tuple[float | None, float | None]:
    from statsmodels.tsa.stattools import adfuller  # noqa: PLC0415 see above

    lag = _best_lag(spread, constant=True)
    try:
        result = adfuller(spread, lag, regression="c", autolag=None, result_object=False)
    except (ValueError, np.linalg.LinAlgError):
        return None, None
    return _finite(result[0]), _finite(result[1])


def _engle_granger(a: Floats, b: Floats) -> float | None:
    from statsmodels.tsa.stattools import coint  # noqa: PLC0415 see above

    residuals = a - np.polynomial.Polynomial.fit(b, a, 1)(b)
    lag = _best_lag(residuals, constant=False)
    try:
        return _finite(coint(a, b, trend="c", maxlag=lag, autolag=None)[1])
    except (ValueError, np.linalg.LinAlgError):
        return None


def _best_lag(x: Floats, *, constant: bool) -> int:
    """The number of lagged differences that AIC prefers, as statsmodels' autolag="AIC" chooses it.

    The regressions of all lags are nested: one QR decomposition gives the residuals of each.
    """
    most = min(len(x) // 2 - 1 - constant, math.ceil(12 * (len(x) / 100) ** 0.25))
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


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
