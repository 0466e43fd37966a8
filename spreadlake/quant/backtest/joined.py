"""Back-tests of spans that follow each other, put together as one. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import reduce
from operator import add

import numpy as np
import polars as pl

from spreadlake.quant.backtest.changes import Changes
from spreadlake.quant.backtest.frames import equity_frame, trades_frame
from spreadlake.quant.backtest.positions import Positions
from spreadlake.quant.backtest.run import Run
from spreadlake.quant.backtest.summary import Summary, max_drawdown_of, summarise
from spreadlake.quant.backtest.trades import Trades


@dataclass(frozen=True)
class Joined:
    """Runs as one: frames of TRADES_SCHEMA, counted through, and EQUITY_SCHEMA; all numbers."""

    trades: pl.DataFrame
    equity: pl.DataFrame
    changes: Changes
    summary: Summary


def joined(runs: Sequence[Run], pair: str = "") -> Joined:
    """One run or more in order of time; each begins without a position and with what is earned."""
    trades = pl.concat([trades_frame(run, pair) for run in runs])
    rows = sum(len(run.market.bars) for run in runs)
    changes = _joined_changes(runs, rows)
    equity = _joined_equity(runs)
    summary = summarise(
        joined_trades([run.trades for run in runs]),
        max_drawdown_of(equity["equity"].to_numpy()),
        changes,
        rows,
        runs[0].market.bars.length,
        runs[0].lane.costs,
    )
    return Joined(
        trades.with_columns(trade=pl.int_range(1, pl.len() + 1, dtype=pl.Int64)),
        equity,
        changes,
        summary,
    )


def _joined_equity(runs: Sequence[Run]) -> pl.DataFrame:
    """At every bar of all spans, each beginning where the last one ended."""
    equity = pl.concat(
        [
            equity_frame(run).with_columns(pl.col("equity") + earned)
            for run, earned in zip(runs, _earned_before(runs), strict=True)
        ]
    )
    peak = pl.max_horizontal(pl.col("equity").cum_max(), 0.0)
    return equity.with_columns(drawdown=peak - pl.col("equity"))


def _earned_before(runs: Sequence[Run]) -> list[float]:
    net = [float(run.trades.net.sum()) for run in runs]
    return [0.0, *np.cumsum(net)[:-1].tolist()]


def _joined_changes(runs: Sequence[Run], rows: int) -> Changes:
    """Of equity through all spans; from one to the next it does not change."""
    inside = reduce(add, (run.changes for run in runs))
    return inside + Changes(max(rows - 1, 0) - inside.count)


def joined_trades(parts: Sequence[Trades]) -> Trades:
    """Those of all spans; rows of their positions are those of each one's own bars."""
    positions = Positions(
        *(
            np.concatenate([getattr(part.positions, field.name) for part in parts])
            for field in fields(Positions)
        )
    )
    numbers = (
        np.concatenate([getattr(part, field.name) for part in parts])
        for field in fields(Trades)[1:]
    )
    return Trades(positions, *numbers)
