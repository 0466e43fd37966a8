"""Bars of two legs made by hand, and signals of any window and lookback on them."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from spreadlake.quant.arrays import Bools, Floats
from spreadlake.quant.backtest.grid import Ground
from spreadlake.quant.backtest.inputs import Bars, Costs, Signals
from spreadlake.quant.backtest.parameters import ParameterSet

LENGTH = 60
START = 28_000_000  # absolute number of the first bar


def reverting(seed: int, rows: int, fee_bps: float = 1.0) -> Ground:
    """A spread that comes back; in one bar of twenty a leg does not trade."""
    rng = np.random.default_rng(seed)
    b = 50 * np.exp(np.cumsum(rng.normal(0, 1e-3, rows)))
    spread = np.zeros(rows)
    for row in range(1, rows):
        spread[row] = 0.9 * spread[row - 1] + rng.normal(0, 1e-3)
    closes = np.stack([2 * b * np.exp(spread), b])
    return ground_of(bars_of(rng, closes, rng.random((2, rows)) < 0.95), fee_bps)


def noise(seed: int, rows: int) -> Ground:
    """Two walks that have nothing in common, traded for nothing: no rule has any merit."""
    rng = np.random.default_rng(seed)
    closes = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, (2, rows)), axis=1))
    return ground_of(bars_of(rng, closes, np.ones((2, rows), dtype=np.bool_)), fee_bps=0.0)


def bars_of(rng: np.random.Generator, closes: Floats, traded: Bools) -> Bars:
    """Bars (2, rows) that open near the close before."""
    rows = closes.shape[1]
    opens = np.concatenate([closes[:, :1], closes[:, :-1]], axis=1)
    opens *= 1 + rng.normal(0, 1e-4, (2, rows))
    time = (START + np.arange(rows)) * LENGTH
    return Bars(LENGTH, time, opens[0], opens[1], closes[0], closes[1], traded[0], traded[1])


def ground_of(bars: Bars, fee_bps: float = 1.0) -> Ground:
    """With signals from the closes of `bars`, each from its window alone."""
    ratio = bars.close_a - 2 * bars.close_b

    def signals_of(sets: Sequence[ParameterSet]) -> Signals:
        (window,) = {one.window for one in sets}
        (lookback,) = {one.lookback for one in sets}
        x = pl.Series(ratio)
        zscore = (x - x.rolling_mean(window)) / x.rolling_std(window)
        beta = 2 + pl.Series(bars.close_b).rolling_mean(lookback).fill_null(50.0) * 1e-4
        return Signals(_floats(zscore), _floats(beta), np.ones(len(bars)), None, sets[0].prices)

    return Ground(bars, signals_of, Costs(fee_bps))


def _floats(x: pl.Series) -> Floats:
    return x.cast(pl.Float64).fill_null(np.nan).to_numpy()
