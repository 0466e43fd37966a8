"""Trades and equity of a back-test as frames. Pure."""

import numpy as np
import polars as pl

from spreadlake.quant.arrays import Ints
from spreadlake.quant.backtest.positions import REASONS
from spreadlake.quant.backtest.run import Run
from spreadlake.quant.backtest.trades import Market, Trades
from spreadlake.schemas import UTC_TIME

TRADES_SCHEMA = pl.Schema(
    [
        ("trade", pl.Int64()),
        ("pair", pl.String()),
        ("side", pl.String()),
        ("signal_time", UTC_TIME),
        ("entry_time", UTC_TIME),
        ("exit_signal_time", UTC_TIME),
        ("exit_time", UTC_TIME),
        ("quantity_a", pl.Float64()),
        ("quantity_b", pl.Float64()),
        ("entry_price_a", pl.Float64()),
        ("entry_price_b", pl.Float64()),
        ("exit_price_a", pl.Float64()),
        ("exit_price_b", pl.Float64()),
        ("beta", pl.Float64()),
        ("entry_zscore", pl.Float64()),
        ("exit_zscore", pl.Float64()),
        ("bars_held", pl.Int64()),
        ("gross", pl.Float64()),
        ("fees", pl.Float64()),
        ("funding", pl.Float64()),
        ("net", pl.Float64()),
        ("worst", pl.Float64()),
        ("best", pl.Float64()),
        ("reason", pl.String()),
    ]
)

_QUANTITIES = (
    *("quantity_a", "quantity_b"),
    *("entry_price_a", "entry_price_b", "exit_price_a", "exit_price_b", "beta"),
)

EQUITY_SCHEMA = pl.Schema(
    [
        ("time", UTC_TIME),
        ("close_time", UTC_TIME),
        ("zscore", pl.Float64()),
        ("position", pl.Int64()),
        ("equity", pl.Float64()),
        ("drawdown", pl.Float64()),
    ]
)


def trades_frame(run: Run, pair: str = "") -> pl.DataFrame:
    """The trades of a run (TRADES_SCHEMA), in order of time."""
    return frame_of_trades(run.market, run.trades, pair)


def frame_of_trades(market: Market, trades: Trades, pair: str) -> pl.DataFrame:
    """Trades in a market (TRADES_SCHEMA), in order of time."""
    bars, zscore = market.bars, market.signals.zscore
    positions = trades.positions
    # Of a position that the bars end before, the exit is when the last of them closes.
    opens = np.append(bars.time, bars.close_time[-1:])
    money = ("gross", "fees", "funding", "net", "worst", "best")
    columns = {
        "trade": np.arange(1, len(trades) + 1),
        "pair": [pair] * len(trades),
        "side": np.array(["short", "", "long"])[positions.side + 1],
        "signal_time": times_of(bars.time[positions.signal]),
        "entry_time": times_of(bars.time[positions.fill]),
        "exit_signal_time": times_of(bars.time[positions.exit_signal]),
        "exit_time": times_of(opens[positions.exit_fill]),
        **{name: getattr(trades, name) for name in _QUANTITIES},
        "entry_zscore": zscore[positions.signal],
        "exit_zscore": zscore[positions.exit_signal],
        "bars_held": positions.bars_held,
        **{name: getattr(trades, name) for name in money},
        "reason": np.array(REASONS)[positions.reason],
    }
    return pl.DataFrame(columns, schema=TRADES_SCHEMA, nan_to_null=True)


def equity_frame(run: Run) -> pl.DataFrame:
    """Equity of a run at every bar (EQUITY_SCHEMA)."""
    bars, equity = run.market.bars, run.equity()
    columns = {
        "time": times_of(bars.time),
        "close_time": times_of(bars.close_time),
        "zscore": run.market.signals.zscore,
        "position": equity.position,
        "equity": equity.equity,
        "drawdown": equity.drawdown,
    }
    return pl.DataFrame(columns, schema=EQUITY_SCHEMA, nan_to_null=True)


def times_of(seconds: Ints) -> pl.Series:
    """Unix seconds as UTC datetimes."""
    return (
        pl.from_epoch(pl.Series(seconds, dtype=pl.Int64), "s")
        .dt.cast_time_unit("us")
        .dt.replace_time_zone("UTC")
    )
