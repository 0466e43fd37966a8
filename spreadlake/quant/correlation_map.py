"""Correlations of many symbols in an order that puts together what moves together. Pure."""

import numpy as np
import polars as pl
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform

CORRELATION_MAP_SCHEMA = pl.Schema(
    {
        "place": pl.Int64,
        "symbol_a": pl.String,
        "symbol_b": pl.String,
        "return_correlation": pl.Float64,
    }
)


def correlation_map(rows: pl.DataFrame, most: int) -> pl.DataFrame:
    """CORRELATION_MAP_SCHEMA of the `most` symbols of a screen that traded most, with each other.

    rows: those of a screen, every pair once. Both halves and the diagonal are there; `place`
    counts rows of a picture, symbols being in the order of the leaves of an average linkage of
    the distances sqrt((1 − ρ) / 2) (R. N. Mantegna, 1999), neighbours as near as may be. A pair
    without a correlation counts as one of 0, and has null.
    """
    volumes = pl.concat(
        rows.select(
            pl.col(f"symbol_{leg}").alias("symbol"), pl.col(f"volume_{leg}").alias("volume")
        )
        for leg in ("a", "b")
    )
    first = volumes.unique("symbol").sort(["volume", "symbol"], descending=[True, False])
    symbols = first["symbol"].head(most).to_list()
    if len(symbols) < 2:
        return CORRELATION_MAP_SCHEMA.to_frame()
    number = {symbol: at for at, symbol in enumerate(symbols)}
    known = rows.filter(pl.col("symbol_a").is_in(symbols) & pl.col("symbol_b").is_in(symbols))
    matrix = np.full((len(symbols), len(symbols)), np.nan)
    np.fill_diagonal(matrix, 1.0)
    for a, b, value in known.select("symbol_a", "symbol_b", "return_correlation").iter_rows():
        if value is not None:
            matrix[number[a], number[b]] = matrix[number[b], number[a]] = value
    order = _leaves(np.nan_to_num(matrix))
    names = [symbols[at] for at in order]
    size = len(names)
    return pl.DataFrame(
        {
            "place": np.repeat(np.arange(size), size),
            "symbol_a": [one for one in names for _ in names],
            "symbol_b": names * size,
            "return_correlation": matrix[np.ix_(order, order)].ravel(),
        },
        schema=CORRELATION_MAP_SCHEMA,
        nan_to_null=True,
    )


def _leaves(correlation: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> list[int]:
    distance = np.sqrt(np.maximum(0.0, 1 - correlation) / 2)
    np.fill_diagonal(distance, 0.0)
    condensed = squareform(distance, checks=False)
    joined = optimal_leaf_ordering(linkage(condensed, "average"), condensed)
    return [int(at) for at in leaves_list(joined)]
