"""Every pair of many symbols at one bar: tested in both directions, measured, ranked. Pure.

Cointegration comes from `spreadlake.quant.cointegration`, some pairs at a time, so that memory is
bounded; pairs of which it says that too few digits are left are taken one by one. A pair has the
same bits whichever pairs it is computed with.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from spreadlake.quant.arrays import Floats
from spreadlake.quant.lagged_moments import LaggedMoments
from spreadlake.quant.legs import Legs, log_returns
from spreadlake.quant.screen_pairs import MARKET_PIECE, Market, measured
from spreadlake.series import Prices
from spreadlake.times import LEAST_SCREENED_BARS

PERSISTENT_PVALUE = 0.05
"""p-value below which a pair passes, for `persistence`."""

SCREEN_SCHEMA = pl.Schema(
    {
        "time": pl.Int64,
        "rank": pl.Int64,
        "symbol_a": pl.String,
        "symbol_b": pl.String,
        "coint_t": pl.Float64,
        "coint_lag": pl.Int64,
        "coint_pvalue": pl.Float64,
        "qvalue": pl.Float64,
        "beta": pl.Float64,
        "alpha": pl.Float64,
        "r_squared": pl.Float64,
        "return_correlation": pl.Float64,
        "half_life": pl.Float64,
        "crossings": pl.Int64,
        "spread": pl.Float64,
        "zscore": pl.Float64,
        "spread_std_bps": pl.Float64,
        "cost_bps": pl.Float64,
        "edge_bps": pl.Float64,
        "volume_a": pl.Float64,
        "volume_b": pl.Float64,
        "persistence": pl.Float64,
    }
)

# What is best where it is small; by all other numbers the greatest comes first.
_SMALL_FIRST = {"symbol_a", "symbol_b", "coint_t", "coint_lag", "coint_pvalue", "qvalue"} | {
    "half_life",
    "cost_bps",
}
ORDERS = tuple(name for name in SCREEN_SCHEMA.names() if name not in ("time", "rank"))
"""Columns that a screen can be ordered by."""


_Mapping = Callable[[Callable[[slice], dict[str, Floats]], Sequence[slice]], Iterator[Any]]


class ScreenOptions(NamedTuple):
    """Bars of the tests and of the z-score, kind of prices, and what a fill costs (bps)."""

    lookback: int = 240
    window: int = 60
    prices: Prices = "log"
    fee_bps: float = 5.0
    slippage_bps: float = 0.0


def screen_all_pairs(
    symbols: Sequence[str],
    close: Floats,
    volume: Floats,
    options: ScreenOptions,
    time: int = 0,
    advance: Callable[[int], None] | None = None,
    threads: int = 1,
) -> pl.DataFrame:
    """A row of SCREEN_SCHEMA for every pair of the symbols, by p-value; `persistence` is null.

    close: (symbols, bars), the last column being the bar of the screen, `time` (Unix seconds);
    as many bars as the longer of lookback and window. Those of the lookback hold no NaN, and
    every symbol's vary; a NaN before them leaves its pairs without the window's numbers.
    volume: (symbols,) quote volume over the lookback. `advance` is told of every piece of pairs
    that is done; `threads` take pieces side by side, with the same numbers. Raises ValueError for
    a lookback below `LEAST_SCREENED_BARS`.
    """
    if options.lookback < LEAST_SCREENED_BARS:
        raise ValueError(f"a lookback of {options.lookback} bars is below {LEAST_SCREENED_BARS}")
    by_name = sorted(range(len(symbols)), key=symbols.__getitem__)  # which leg comes first
    symbols, volume = [symbols[at] for at in by_name], volume[by_name]
    market = _market(close[by_name], options)
    one, other = np.triu_indices(len(symbols), 1)

    def measure(part: slice) -> dict[str, Floats]:
        return measured(market, one[part].astype(np.int64), other[part].astype(np.int64))

    parts = [slice(at, at + MARKET_PIECE) for at in range(0, len(one), MARKET_PIECE)]
    pieces = []
    with _mapping(threads) as mapped:
        for part, piece in zip(parts, mapped(measure, parts), strict=True):
            pieces.append(piece)
            if advance is not None:
                advance(len(one[part]))
    if not pieces:
        return SCREEN_SCHEMA.to_frame()
    columns = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    return _frame(symbols, volume, columns, options, time)


@contextmanager
def _mapping(threads: int) -> Iterator[_Mapping]:
    if threads == 1:
        yield map
        return
    pool = ThreadPoolExecutor(threads)
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)


def ranked(
    rows: pl.DataFrame,
    order: str = "coint_pvalue",
    max_qvalue: float | None = None,
    top: int | None = None,
) -> pl.DataFrame:
    """The rows of a screen, best first by one of ORDERS, with their `rank` from 1 on.

    z-scores are ordered by their distance from 0. Rows of the same value are by p-value, then
    statistic, then symbols; what has no number comes last. `max_qvalue` leaves out the rows
    above it and those without one, `top` all but so many.
    """
    if max_qvalue is not None:
        rows = rows.filter(pl.col("qvalue") <= max_qvalue)
    by = pl.col(order).abs() if order == "zscore" else pl.col(order)
    ties = ("coint_pvalue", "coint_t", "symbol_a", "symbol_b")
    rows = rows.sort(
        by, *ties, descending=[order not in _SMALL_FIRST, *[False] * len(ties)], nulls_last=True
    )
    rows = rows if top is None else rows.head(top)
    return rows.with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))


def passing(rows: pl.DataFrame) -> list[str]:
    """The pairs of a screen's rows that count for `persistence`, each as `A/B` by name."""
    return (
        rows.filter(pl.col("coint_pvalue") < PERSISTENT_PVALUE)
        .select(pair_by_name())
        .to_series()
        .to_list()
    )


def with_persistence(rows: pl.DataFrame, passed: Sequence[Sequence[str]]) -> pl.DataFrame:
    """The rows of a screen with `persistence`: the share of earlier screens that a pair passed.

    `passed` are the pairs of each of these screens as `passing` gives them; without any it is
    null.
    """
    if not passed:
        return rows
    names = pl.Series("pair", [name for one in passed for name in one], dtype=pl.String)
    times = names.to_frame().group_by("pair").agg(pl.len().alias("times"))
    share = pl.col("times").fill_null(0) / len(passed)
    named = rows.with_columns(pair_by_name())
    found = named.join(times, on="pair", how="left", maintain_order="left")
    return found.with_columns(persistence=share).select(rows.columns)


def pair_by_name() -> pl.Expr:
    """A pair's name, `pair`: the same whichever way round it is."""
    legs = pl.min_horizontal("symbol_a", "symbol_b"), pl.max_horizontal("symbol_a", "symbol_b")
    return pl.concat_str(legs, separator="/").alias("pair")


def false_discovery_rates(pvalues: Floats) -> Floats:
    """q of each p-value (Y. Benjamini and Y. Hochberg, 1995); NaN is no test, and stays NaN."""
    out = np.full(pvalues.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(pvalues))
    by_size = tested[np.argsort(pvalues[tested], kind="stable")]
    shares = pvalues[by_size] * (len(by_size) / np.arange(1, len(by_size) + 1))
    out[by_size] = np.minimum(np.minimum.accumulate(shares[::-1])[::-1], 1.0)
    return out


def _market(close: Floats, options: ScreenOptions) -> Market:
    logs = options.prices == "log"
    x = np.log(close) if logs else close
    none, before = np.empty(0, np.int64), np.full(len(close), -1)  # no symbol begins among the bars
    closes = Legs(x, 0, before, none, none, unit=float(logs))
    returns = Legs(log_returns(close), 0, before, none, none)
    lookback, window = options.lookback, options.window
    return Market(
        moments=LaggedMoments.of(x[:, -lookback:]),
        closes=closes,
        returns=returns,
        window=closes.windows(window, 1),
        returned=returns.windows(window - 1, 1),
        level=np.abs(x[:, -lookback:]).max(axis=1) + closes.unit,
    )


def _frame(
    symbols: Sequence[str],
    volume: Floats,
    columns: dict[str, Floats],
    options: ScreenOptions,
    time: int,
) -> pl.DataFrame:
    at_a, at_b = (columns.pop(name).astype(np.int64) for name in ("at_a", "at_b"))
    last_a, last_b, deviation = (columns.pop(name) for name in ("last_a", "last_b", "deviation"))
    names = np.array(symbols, dtype=object)
    qvalue = false_discovery_rates(np.minimum(1.0, 2 * columns["coint_pvalue"]))
    weight, bps = np.abs(columns["beta"]), deviation * 1e4
    if options.prices == "raw":
        weight, bps = weight * last_b / last_a, bps / last_a
    cost = 2 * (options.fee_bps + options.slippage_bps) * (1 + weight)
    made = {
        "symbol_a": pl.Series(names[at_a], dtype=pl.String),
        "symbol_b": pl.Series(names[at_b], dtype=pl.String),
        "qvalue": qvalue,
        "spread_std_bps": bps,
        "cost_bps": cost,
        "edge_bps": np.abs(columns["zscore"]) * bps - cost,
        "volume_a": volume[at_a],
        "volume_b": volume[at_b],
    }
    rows = pl.DataFrame(columns | made, nan_to_null=True)
    rows = rows.with_columns(
        time=pl.lit(time), rank=pl.lit(None), persistence=pl.lit(None, dtype=pl.Float64)
    )
    return ranked(rows.select(SCREEN_SCHEMA.names()).cast(SCREEN_SCHEMA))
