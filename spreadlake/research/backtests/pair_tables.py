"""What each pair of a portfolio earned."""

from collections.abc import Iterable
from itertools import chain

import polars as pl

from spreadlake.pairs import Pair


def pairs_frame(trades: pl.DataFrame, chosen: Iterable[Iterable[Pair]]) -> pl.DataFrame:
    """A row for each pair that any screen chose, the one that earned most first.

    screens: how many chose it. trades, gross, fees, funding, net: of its trades. hit_rate, the
    share of them whose net is above 0, and mean_bars_held are null without trades.
    """
    names = [pair.name for pair in chain.from_iterable(chosen)]
    times = pl.Series("pair", names, dtype=pl.String).to_frame().group_by("pair").len("screens")
    earned = trades.group_by("pair").agg(
        trades=pl.len().cast(pl.Int64),
        gross=pl.sum("gross"),
        fees=pl.sum("fees"),
        funding=pl.sum("funding"),
        net=pl.sum("net"),
        hit_rate=(pl.col("net") > 0).mean(),
        mean_bars_held=pl.mean("bars_held"),
    )
    found = times.with_columns(pl.col("screens").cast(pl.Int64)).join(earned, on="pair", how="left")
    sums = pl.col("trades", "gross", "fees", "funding", "net").fill_null(0)
    return found.with_columns(sums).sort("net", "pair", descending=[True, False])
