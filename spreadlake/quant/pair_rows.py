"""Rows of `pair_analytics`: all numbers of all pairs of a close matrix. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from spreadlake.pairs import Pair
from spreadlake.quant.arrays import Bools, Floats, Ints
from spreadlake.quant.close_matrix import CloseMatrix
from spreadlake.quant.kalman import kalman_beta
from spreadlake.quant.legs import Legs
from spreadlake.quant.pair_stats import correlation, deviation, hedge_ratio, spread_zscore
from spreadlake.quant.rolling import LegWindows, rolling_sum
from spreadlake.series import Prices, stored_prices
from spreadlake.statistics import PAIR_STATISTICS

_CELLS = 16_384  # pairs times rows at a time: what is computed on stays in the processor's cache
# Legs times columns at a time: while symbols begin at different bars, each is many legs.
_LEG_CELLS = 300_000

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
    stale: Bools
    price_a: Floats
    price_b: Floats
    numbers: dict[str, Floats]
    prices: Prices = "raw"

    def frame(self) -> pl.DataFrame:
        """The rows of the table: pair, symbols, time (s), closes and numbers; NaN is null.

        `prices` says what the numbers are on, null for raw closes.
        """
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
        return frame.with_columns(
            pl.col("hedge_bars").cast(pl.Int64),
            prices=pl.lit(stored_prices(self.prices), dtype=pl.String),
        )


def bars_needed(windows: Sequence[int], lookbacks: Sequence[int], max_stale: int) -> int:
    """How many bars a row depends on, itself included."""
    return max(*windows, *lookbacks, max_stale + 1)


def pair_rows(
    closes: CloseMatrix,
    pairs: Sequence[Pair],
    windows: Sequence[int],
    lookbacks: Sequence[int],
    max_stale: int,
    noise: Noise | None,
    rows: int,
    prices: Prices = "raw",
) -> Iterator[PairRows]:
    """Analytics of `pairs` at the last `rows` bars: a PairRows per group, lookback and window.

    Of one pair the Kalman filter is half of the work: without `noise` there is no `kalman_beta`.

    The matrix reaches back `bars_needed` bars before them, or to the legs' first bars; for the
    logarithms of closes all of them are above 0. What belongs to a symbol is computed once for all
    pairs that begin with it at the same bar; of these, as many at a time as stay in a cache.
    """
    at_a, at_b = closes.rows([p.a for p in pairs]), closes.rows([p.b for p in pairs])
    for some in _sharing_legs(closes, at_a, at_b):
        together = tuple(pairs[i] for i in some.tolist())
        market = _Market.of(
            closes, together, at_a[some], at_b[some], lookbacks, windows, max_stale, rows, prices
        )
        for group in market.legs.groups(max(1, _CELLS // rows)):
            yield from _rows_of(market, market.some(group), windows, lookbacks, noise)


def _rows_of(
    market: "_Market",
    some: "_Market",
    windows: Sequence[int],
    lookbacks: Sequence[int],
    noise: Noise | None,
) -> Iterator[PairRows]:
    for lookback in lookbacks:
        over = market.windows[lookback]
        m = some.legs.moments(over)
        hedge = hedge_ratio(some.legs, m)
        numbers = {
            "alpha": hedge.alpha,
            "beta": hedge.beta,
            "beta_stderr": hedge.beta_stderr,
            "r_squared": hedge.r_squared,
            "hedge_bars": m.n,
            "kalman_beta": np.full_like(hedge.beta, np.nan)
            if noise is None
            else kalman_beta(some.legs, over, noise.delta, noise.observation_variance),
        }
        for window in windows:
            yield some.rows(window, lookback, numbers | some.numbers(window, hedge.beta))


def _sharing_legs(closes: CloseMatrix, at_a: Ints, at_b: Ints) -> Iterator[Ints]:
    """Numbers of the pairs, so many at a time that the memory of their legs is bounded.

    A pair begins with the later of its two symbols, and a symbol is a leg for each such bar:
    pairs that begin together come together, with no more legs than there are symbols.
    """
    begin = np.maximum(closes.first[at_a], closes.first[at_b])
    order = np.argsort(begin, kind="stable")
    most = max(1, _LEG_CELLS // closes.close.shape[1])
    taken, legs = 0, 0
    for at, alike in _runs(begin[order]):
        new = len(np.union1d(at_a[order[at:alike]], at_b[order[at:alike]]))
        if legs and legs + new > most:
            yield order[taken:at]
            taken, legs = at, 0
        legs += new
    yield order[taken:]


def _runs(values: Ints) -> Iterator[tuple[int, int]]:
    """From where to where (exclusive) each of the sorted values stands."""
    edges = np.flatnonzero(np.diff(values)) + 1
    yield from zip([0, *edges.tolist()], [*edges.tolist(), len(values)], strict=True)


@dataclass(frozen=True)
class _Market:
    """What is computed once for all pairs of a timeframe, and which of them are looked at."""

    closes: CloseMatrix
    pairs: tuple[Pair, ...]
    at_a: Ints  # row of each pair's leg A in the matrix
    at_b: Ints
    legs: Legs  # closes, or their logarithms
    returns: Legs
    windows: dict[int, LegWindows]  # of the legs, by width
    returned: dict[int, LegWindows]  # of the returns between as many closes
    volume: dict[int, Floats]  # (symbols, rows)
    stale: Bools  # (symbols, rows)
    prices: Prices

    @classmethod
    def of(
        cls,
        closes: CloseMatrix,
        pairs: tuple[Pair, ...],
        at_a: Ints,
        at_b: Ints,
        lookbacks: Sequence[int],
        windows: Sequence[int],
        max_stale: int,
        rows: int,
        prices: Prices,
    ) -> "_Market":
        legs = Legs.of_symbols(closes.close, closes.start, closes.first, at_a, at_b)
        logs = legs.logs()
        returns = logs.steps()
        if prices == "log":
            legs = logs
        start, first = closes.start, closes.first
        return cls(
            closes,
            pairs,
            at_a,
            at_b,
            legs,
            returns,
            {width: legs.windows(width, rows) for width in {*windows, *lookbacks}},
            {width: returns.windows(width - 1, rows) for width in windows},
            {w: rolling_sum(closes.quote_volume, w, start, first, rows) for w in windows},
            carried_too_long(closes.traded, max_stale, rows),
            prices,
        )

    def some(self, pairs: slice) -> "_Market":
        """The same with some of the pairs."""
        return replace(
            self,
            pairs=self.pairs[pairs],
            at_a=self.at_a[pairs],
            at_b=self.at_b[pairs],
            legs=self.legs.some(pairs),
            returns=self.returns.some(pairs),
        )

    def numbers(self, window: int, beta: Floats) -> dict[str, Floats]:
        """Those of one window, with each row's hedge ratio."""
        legs, returned, volume = self.legs, self.returned[window], self.volume[window]
        m = legs.moments(self.windows[window])
        spread = spread_zscore(legs, beta, m)
        volatility = deviation(returned.squares, returned.n)
        return {
            "spread": spread.spread,
            "spread_mean": spread.mean,
            "spread_std": spread.std,
            "zscore": spread.zscore,
            "correlation": correlation(m),
            "return_correlation": correlation(self.returns.moments(returned)),
            "volatility_a": volatility[legs.at_a],
            "volatility_b": volatility[legs.at_b],
            # Rows that a pair has from its `window`th bar on: no window reaches before its first.
            "volume_a": volume[self.at_a],
            "volume_b": volume[self.at_b],
        }

    def rows(self, window: int, lookback: int, numbers: dict[str, Floats]) -> PairRows:
        """Numbers of one window and lookback put together."""
        hedge_bars = numbers["hedge_bars"]
        start = self.closes.end - hedge_bars.shape[1]
        close = self.closes.close[:, -hedge_bars.shape[1] :]
        stale = self.stale[self.at_a] | self.stale[self.at_b]
        if stale.any():
            numbers = {name: np.where(stale, np.nan, values) for name, values in numbers.items()}
        return PairRows(
            pairs=self.pairs,
            length=self.closes.length,
            window=window,
            lookback=lookback,
            start=start,
            have=self._have(start),
            hedge_bars=hedge_bars.astype(np.int64),
            stale=stale,
            price_a=close[self.at_a],
            price_b=close[self.at_b],
            numbers=numbers,
            prices=self.prices,
        )

    def _have(self, start: int) -> Ints:
        """(pairs, rows): bars of the pair up to each row from the absolute bar `start` on."""
        first = self.legs.first[self.legs.at_a]
        have = np.arange(start, self.closes.end) - first[:, None] + 1
        return np.asarray(np.maximum(have, 0))


def carried_too_long(traded: Bools, max_stale: int, rows: int) -> Bools:
    """(symbols, rows): no trade in the last max_stale + 1 bars, at the last `rows` columns.

    False where the columns do not reach so far.
    """
    columns = traded.shape[1]
    counts = np.concatenate(
        [np.zeros((len(traded), 1), np.int64), np.cumsum(traded, axis=1)], axis=1
    )
    ends = np.arange(columns - rows + 1, columns + 1)
    begins = np.maximum(ends - max_stale - 1, 0)
    return np.asarray((counts[:, ends] == counts[:, begins]) & (ends - begins > max_stale))
