"""The columns of bars, as the tables `bars` and `klines` hold them."""

import polars as pl

# Of one timeframe, which the table has as a column and a frame as its own name.
BARS_SCHEMA = pl.Schema(
    {
        "symbol": pl.String,
        "time": pl.Int64,
        "open": pl.Float64,
        "high": pl.Float64,
        "low": pl.Float64,
        "close": pl.Float64,
        "volume": pl.Float64,
        "quote_volume": pl.Float64,
        "taker_buy_volume": pl.Float64,
        "trades": pl.Int64,
    }
)

_SYMBOL, *_REST = BARS_SCHEMA.items()
KLINES_SCHEMA = pl.Schema([_SYMBOL, ("timeframe", pl.String()), *_REST])
