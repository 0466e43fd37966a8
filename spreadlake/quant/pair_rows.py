"""Rows of `pair_analytics`: the pair maths put together over a panel. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from spreadlake.pairs import Pair
from spreadlake.quant.close_matrix import CloseMatrix
from spreadlake.quant.kalman import kalman_beta
from spreadlake.quant.pair_stats import (
    correlation,
    hedge_ratio,
    log_returns,
    return_moments,
    spread_zscore,
)
from spreadlake.quant.rolling import Floats, Ints, Moments, rolling_moments, rolling_sum
from spreadlake.statistics import PAIR_STATISTICS

# The columns of pair_analytics after its key, the symbols and the prices.
NUMBERS = tuple(one.column for one in PAIR_STATISTICS)


@dataclass(frozen=True)
class Noise:
    """Noise of the Kalman filter, see `kalman_beta`."""

    delta: float
    observation_variance: float


@dataclass(frozen=True)
class PairRows:
    """Analytics of some pairs at the absolute bars [start, start + rows), for one window.

    Arrays are (pairs, rows). `have` is the number of bars that both legs have, up to the row;
    only rows with `have` of at least `window` are rows of the table. `hedge_bars` is over how many
    bars the regression is. Where `stale`, `numbers` are NaN.
    """

    pairs: tuple[Pair, ...]
    length: int
    window: int
    lookback: int
    start: int
    have: Ints
    hedge_bars: Ints
    stale: NDArray[np.bool_]
    price_a: Floats
    price_b: Floats
    numbers: dict[str, Floats]

    def frame(self) -> pl.DataFrame:
        """The rows of the table: pair, symbols, time (s), prices and numbers; NaN is null."""
        kept = self.have >= self.window
        pair, row = np.nonzero(kept)
        columns: dict[str, object] = {
            "pair": np.array([p.name for p in self.pairs])[pair],
            "time": (self.start + row) * self.length,
            "symbol_a": np.array([p.a for p in self.pairs])[pair],
            "symbol_b": np.array([p.b for p in self.pairs])[pair],
            "price_a": self.price_a[kept],
            "price_b": self.price_b[kept],
        }
        numbers = {name: self.numbers[name][kept] for name in NUMBERS}
        frame = pl.DataFrame(columns | numbers, nan_to_null=True)
        return frame.with_columns(pl.col("hedge_bars").cast(pl.Int64))


def bars_needed(windows: Sequence[int], lookbacks: Sequence[int], max_stale: int) -> int:
    """How many bars a row depends on, itself included."""
    return max(*windows, *lookbacks, max_stale + 1)


def pair_rows(
    panel: CloseMatrix,
    pairs: Sequence[Pair],
    windows: Sequence[int],
    lookback: int,
    max_stale: int,
    noise: Noise,
    rows: int,
) -> Iterator[PairRows]:
    """Analytics of `pairs` at the last `rows` bars of the panel, a PairRows per window.

    The panel reaches back `bars_needed` bars before them, or to the legs' first bars.
    """
    legs = _Legs.of(panel, pairs)
    m = rolling_moments(legs.a, legs.b, lookback, panel.start, legs.first, rows)
    hedge = hedge_ratio(legs.a, legs.b, m)
    shared = {
        "alpha": hedge.alpha,
        "beta": hedge.beta,
        "beta_stderr": hedge.beta_stderr,
        "r_squared": hedge.r_squared,
        "hedge_bars": m.n,
        "kalman_beta": kalman_beta(
            legs.a, legs.b, m, lookback, noise.delta, noise.observation_variance
        ),
    }
    stale = legs.stale(max_stale, rows)
    for window in windows:
        numbers = shared | _window_numbers(legs, hedge.beta, window, rows)
        yield PairRows(
            pairs=tuple(pairs),
            length=panel.length,
            window=window,
            lookback=lookback,
            start=panel.end - rows,
            have=legs.have(rows),
            hedge_bars=m.n.astype(np.int64),
            stale=stale,
            price_a=legs.a[:, -rows:],
            price_b=legs.b[:, -rows:],
            numbers={name: np.where(stale, np.nan, values) for name, values in numbers.items()},
        )


def _window_numbers(legs: "_Legs", beta: Floats, window: int, rows: int) -> dict[str, Floats]:
    start = legs.panel.start
    m = rolling_moments(legs.a, legs.b, window, start, legs.first, rows)
    r = return_moments(legs.returns_a, legs.returns_b, window, start, legs.first, rows)
    spread = spread_zscore(legs.a, legs.b, beta, m)
    volume_a, volume_b = legs.volume(window, rows)
    return {
        "spread": spread.spread,
        "spread_mean": spread.mean,
        "spread_std": spread.std,
        "zscore": spread.zscore,
        "correlation": correlation(m),
        "return_correlation": correlation(r),
        "volatility_a": _deviation(r.saa, r),
        "volatility_b": _deviation(r.sbb, r),
        "volume_a": volume_a,
        "volume_b": volume_b,
    }


def _deviation(squares: Floats, m: Moments) -> Floats:
    out = np.full(squares.shape, np.nan)
    np.divide(squares, m.n - 1, out=out, where=m.n > 1)
    return np.asarray(np.sqrt(out))


@dataclass(frozen=True)
class _Legs:
    """The two legs of each pair, cut from the panel."""

    panel: CloseMatrix
    at_a: Ints  # row of each pair's leg A in the panel
    at_b: Ints
    a: Floats
    b: Floats
    returns_a: Floats
    returns_b: Floats
    first: Ints

    @classmethod
    def of(cls, panel: CloseMatrix, pairs: Sequence[Pair]) -> "_Legs":
        at_a, at_b = panel.rows([p.a for p in pairs]), panel.rows([p.b for p in pairs])
        returns = log_returns(panel.close)
        return cls(
            panel,
            at_a,
            at_b,
            panel.close[at_a],
            panel.close[at_b],
            returns[at_a],
            returns[at_b],
            np.maximum(panel.first[at_a], panel.first[at_b]),
        )

    def have(self, rows: int) -> Ints:
        """(pairs, rows): bars of the pair up to each row."""
        have = np.arange(self.panel.end - rows, self.panel.end) - self.first[:, None] + 1
        return np.asarray(np.maximum(have, 0))

    def stale(self, max_stale: int, rows: int) -> NDArray[np.bool_]:
        """Whether a leg has carried its close for more than `max_stale` bars in a row."""
        stale = _carried(self.panel.traded, max_stale, rows)
        return np.asarray(stale[self.at_a] | stale[self.at_b])

    def volume(self, window: int, rows: int) -> tuple[Floats, Floats]:
        """(pairs, rows) each: traded value of the legs over the window, in quote currency.

        Rows that a pair has from its `window`th bar on: no window reaches before its first.
        """
        panel = self.panel
        volume = rolling_sum(panel.quote_volume, window, panel.start, panel.first, rows)
        return volume[self.at_a], volume[self.at_b]


def _carried(traded: NDArray[np.bool_], max_stale: int, rows: int) -> NDArray[np.bool_]:
    """No trade in the last max_stale + 1 bars; False where the columns do not reach so far."""
    columns = traded.shape[1]
    counts = np.concatenate(
        [np.zeros((len(traded), 1), np.int64), np.cumsum(traded, axis=1)], axis=1
    )
    ends = np.arange(columns - rows + 1, columns + 1)
    begins = np.maximum(ends - max_stale - 1, 0)
    return np.asarray((counts[:, ends] == counts[:, begins]) & (ends - begins > max_stale))
