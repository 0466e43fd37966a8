"""A back-test of one pair on the bars of a lake."""

from dataclasses import dataclass
from typing import Any

import polars as pl


@dataclass(frozen=True)
class Backtest:
    """What a back-test of a pair gave.

    trades, equity: frames of TRADES_SCHEMA and EQUITY_SCHEMA (`spreadlake.quant.backtest`).
    summary: the numbers of all trades together, None for one without meaning. settings: what was
    asked for, by the names of `OpenLake.backtest`, with the bars it ran over.
    """

    trades: pl.DataFrame
    equity: pl.DataFrame
    summary: dict[str, Any]
    settings: dict[str, Any]
