"""What a Sharpe ratio is worth when it is the best of many tried: probabilistic and deflated. Pure.

Ratios are per observation and not annualised, kurtosis is that of the paper: 3 for the normal
distribution. A NaN is a number without meaning.

Sources: Bailey and López de Prado, "The Sharpe Ratio Efficient Frontier", Journal of Risk 15
(2012), for the probabilistic ratio; the same, "The Deflated Sharpe Ratio: Correcting for Selection
Bias, Backtest Overfitting and Non-Normality", Journal of Portfolio Management 40 (2014), for the
expected maximum and the deflated ratio.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from spreadlake.quant.arrays import Floats

_NORMAL = NormalDist()
_EULER = 0.5772156649015329  # the Euler–Mascheroni constant


@dataclass(frozen=True)
class Returns:
    """What of the returns of each of many trials its Sharpe ratio depends on, and how surely.

    `observations` is how many there are, the same for all trials; the others are (trials,):
    `sharpe` is mean over deviation (ddof 1) and not annualised, NaN where nothing varies.
    """

    observations: int
    sharpe: Floats
    skewness: Floats
    kurtosis: Floats


@dataclass(frozen=True)
class Deflated:
    """The Sharpe ratios of trials against what the best of as many would show by chance.

    `trials` are those that have a ratio; `variance` is that of their ratios (ddof 1), and
    `expected_maximum` what the best of so many would show on average if none had any merit.
    `probabilistic` (trials,): the probability that the true ratio is above 0 were it the only
    trial; `deflated` (trials,): that it is above `expected_maximum`.
    """

    trials: int
    variance: float
    expected_maximum: float
    probabilistic: Floats
    deflated: Floats


def deflate(returns: Returns) -> Deflated:
    """Deflates the ratio of each trial by the number of trials and how far they are apart.

    Trials count as independent of each other: neighbours of a grid are not, so that there are
    fewer than it says and the expected maximum is rather too high than too low.
    """
    known = returns.sharpe[~np.isnan(returns.sharpe)]
    apart = variance(known)
    expected = expected_maximum(len(known), apart)
    one_by_one = list(zip(returns.sharpe, returns.skewness, returns.kurtosis, strict=True))

    def against(benchmark: float) -> Floats:
        count = returns.observations
        return np.array(
            [
                probabilistic_sharpe(float(sharpe), count, float(skew), float(kurtosis), benchmark)
                for sharpe, skew, kurtosis in one_by_one
            ]
        )

    return Deflated(len(known), apart, expected, against(0.0), against(expected))


def variance(sharpe: Floats) -> float:
    """That of the ratios of trials (ddof 1), 0 for fewer than two."""
    return float(sharpe.var(ddof=1)) if len(sharpe) > 1 else 0.0


def expected_maximum(trials: int, variance: float) -> float:
    """What the highest of `trials` Sharpe ratios is on average where all true ones are 0.

    sqrt(V)·((1 − γ)·Z⁻¹(1 − 1/N) + γ·Z⁻¹(1 − 1/(N·e))), `variance` V being that of the trials'
    ratios; 0 for a single trial, as nothing was chosen, and NaN for none.
    """
    if trials < 1:
        return math.nan
    if trials == 1 or not variance > 0:
        return 0.0
    high = _NORMAL.inv_cdf(1 - 1 / trials)
    higher = _NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return math.sqrt(variance) * ((1 - _EULER) * high + _EULER * higher)


def probabilistic_sharpe(
    sharpe: float, observations: int, skewness: float, kurtosis: float, benchmark: float = 0.0
) -> float:
    """The probability that the true Sharpe ratio is above `benchmark`, given the measured one.

    Z((SR − SR*)·sqrt(T − 1) / sqrt(1 − γ₃·SR + (γ₄ − 1)/4·SR²)) with `skewness` γ₃ and `kurtosis`
    γ₄ of the returns; NaN where the ratio has no such deviation.
    """
    spread = 1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe * sharpe
    if observations < 2 or not spread > 0 or math.isnan(benchmark):
        return math.nan
    return _NORMAL.cdf((sharpe - benchmark) * math.sqrt(observations - 1) / math.sqrt(spread))
