"""The columns of trades, bars and klines in a frame, as the lake holds them."""

import polars as pl

UTC_TIME: pl.DataType = pl.Datetime("us", "UTC")
"""A time in the frames that are given to users."""

TRADES_SCHEMA = pl.Schema(
    {
        "symbol": pl.String,
        "trade_id": pl.Int64,
        "time_ms": pl.Int64,
        "price": pl.Float64,
        "qty": pl.Float64,
        "buyer_is_maker": pl.Int64,
    }
)

# All that the lake keeps of a trade (TICK_COLUMNS), hot and cold; bars need no more than the above.
TICKS_SCHEMA = pl.Schema(
    [
        *TRADES_SCHEMA.items(),
        ("first_trade_id", pl.Int64()),
        ("last_trade_id", pl.Int64()),
        ("qty_ex_rpi", pl.Float64()),
        ("received_ms", pl.Int64()),
    ]
)

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

FUNDING_SCHEMA = pl.Schema(
    {
        "symbol": pl.String,
        "time_ms": pl.Int64,
        "rate": pl.Float64,
        "mark_price": pl.Float64,
    }
)
