"""Trades → 1s bars → longer bars. Pure functions over polars frames.

A bar [t, t + length) opens with its first and closes with its last trade by (time, id). A second
without a trade carries the previous close with no volume, so that pairs align.
"""

import polars as pl

from spreadlake.schemas import BARS_SCHEMA

_SUMS = ("volume", "quote_volume", "taker_buy_volume", "trades")
_PRICES = ("open", "high", "low", "close")


def second_bars(trades: pl.DataFrame) -> pl.DataFrame:
    """1s bars of the seconds that have trades; columns of BARS_SCHEMA, by symbol and time.

    `trades` has the columns of `ticks` (seq may be missing), each trade once, in any order. The
    trades of one bar are summed in the order (time, id), so a bar is the same to the last bit
    whichever way its trades came.
    """
    return (
        trades.sort("symbol", "time_ms", "trade_id")
        .with_columns(time=pl.col("time_ms") // 1000)
        .group_by("symbol", "time", maintain_order=True)
        .agg(
            open=pl.col("price").first(),
            high=pl.col("price").max(),
            low=pl.col("price").min(),
            close=pl.col("price").last(),
            volume=pl.col("qty").sum(),
            quote_volume=(pl.col("price") * pl.col("qty")).sum(),
            taker_buy_volume=pl.when(pl.col("buyer_is_maker") == 0)
            .then(pl.col("qty"))
            .otherwise(0.0)
            .sum(),
            trades=pl.len().cast(pl.Int64),
        )
        .select(BARS_SCHEMA.names())
    )


def carry(bars: pl.DataFrame, last: pl.DataFrame, start: int, end: int) -> pl.DataFrame:
    """1s bars of every symbol for every second of [start, end), by symbol and time.

    `bars` are those seconds that have trades; `last` (symbol, close) holds each symbol's close
    before `start`. A symbol that is not in `last` begins with its first bar.
    """
    symbols = pl.concat([last["symbol"], bars["symbol"]]).unique().sort().to_frame()
    seconds = pl.DataFrame({"time": pl.int_range(start, end, eager=True, dtype=pl.Int64)})
    return (
        symbols.join(last.rename({"close": "before"}), on="symbol", how="left")
        .join(seconds, how="cross", maintain_order="left_right")
        .join(bars, on=["symbol", "time"], how="left", maintain_order="left")
        .with_columns(pl.col("close").forward_fill().over("symbol").fill_null(pl.col("before")))
        .filter(pl.col("close").is_not_null())
        .with_columns(pl.col(*_PRICES).fill_null(pl.col("close")), pl.col(*_SUMS).fill_null(0))
        .select(BARS_SCHEMA.names())
        .cast(BARS_SCHEMA)
    )


def carried(last: pl.DataFrame) -> pl.DataFrame:
    """1s bars without a trade: `last` (symbol, close, start, end) is carried over [start, end)."""
    return (
        last.with_columns(time=pl.int_ranges("start", "end", dtype=pl.Int64))
        .explode("time")
        .drop_nulls("time")
        .with_columns(
            *(pl.col("close").alias(name) for name in _PRICES),
            *(pl.lit(0.0).alias(name) for name in _SUMS),
        )
        .select(BARS_SCHEMA.names())
        .cast(BARS_SCHEMA)
    )


def longer_bars(seconds: pl.DataFrame, length: int) -> pl.DataFrame:
    """Bars of `length` seconds from 1s bars (or from shorter bars that divide them)."""
    return (
        seconds.sort("symbol", "time")
        .with_columns(time=pl.col("time") // length * length)
        .group_by("symbol", "time", maintain_order=True)
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            *(pl.col(name).sum() for name in _SUMS),
        )
        .select(BARS_SCHEMA.names())
    )


def bars_before(klines: pl.DataFrame, symbol: str, length: int, end: int) -> pl.DataFrame:
    """Bars of `length` seconds (a multiple of 60) that end at or before `end`, from 1m klines.

    `klines` are one symbol's, with the columns of BARS_SCHEMA among theirs. A bar that the
    klines begin in the middle of is left out; a bar without klines carries the close before it.
    """
    if klines.is_empty():
        return BARS_SCHEMA.to_frame()
    begin = -(-int(klines["time"].min()) // length) * length  # type: ignore[arg-type]
    inside = klines.filter((pl.col("time") >= begin) & (pl.col("time") < end))
    if inside.is_empty():
        return BARS_SCHEMA.to_frame()
    bars = longer_bars(inside.select(BARS_SCHEMA.names()), length)
    grid = pl.DataFrame({"time": pl.int_range(begin, end, length, eager=True, dtype=pl.Int64)})
    return (
        grid.join(bars, on="time", how="left", maintain_order="left")
        .with_columns(pl.col("close").forward_fill(), symbol=pl.lit(symbol))
        .filter(pl.col("close").is_not_null())
        .with_columns(pl.col(*_PRICES).fill_null(pl.col("close")), pl.col(*_SUMS).fill_null(0))
        .select(BARS_SCHEMA.names())
        .cast(BARS_SCHEMA)
    )
