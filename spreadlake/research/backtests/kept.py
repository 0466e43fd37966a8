"""Keeps the result of a back-test in its lake, where Grafana shows it."""

import json
import math
from collections.abc import Iterator
from typing import Any

import polars as pl

from spreadlake.lake import Lake
from spreadlake.lake.backtests import TRADE_COLUMNS, check_name, store_backtest
from spreadlake.research.backtests.pair import Backtest
from spreadlake.times import timeframe_seconds


def keep_backtest(lake: Lake, name: str, result: Backtest, now: float) -> None:
    """Keeps a result under a name, in place of what was kept under it, at `now` (Unix s).

    InputError for a name that cannot be one, LakeError for a lake that cannot be written.
    """
    store_backtest(lake, _head(check_name(name), result, now), _trades(result), _equity(result))


def _head(name: str, result: Backtest, now: float) -> dict[str, Any]:
    settings, equity = result.settings, _seconds(result.equity)
    return {
        "name": name,
        "kept_at": int(now),
        "pair": settings["pair"],
        "timeframe": settings["timeframe"],
        "window_bars": settings["window"],
        "lookback_bars": settings["lookback"],
        "prices": settings["prices"],
        "length": timeframe_seconds(settings["timeframe"]),
        "first_time": equity["time"].min(),
        "last_time": equity["time"].max(),
        **{key: settings[key] for key in ("entry", "exit", "stop")},
        "settings": json.dumps(settings, allow_nan=False),
        "notes": json.dumps(result.notes, ensure_ascii=False),
        **{key: _finite(value) for key, value in result.summary.items()},
    }


def _trades(result: Backtest) -> Iterator[tuple[Any, ...]]:
    return _seconds(result.trades).select(TRADE_COLUMNS).iter_rows()


def _equity(result: Backtest) -> Iterator[tuple[Any, ...]]:
    return _seconds(result.equity).select("time", "zscore", "equity", "drawdown").iter_rows()


def _seconds(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.selectors.datetime().dt.epoch("s"))


def _finite(value: float | None) -> float | None:
    """NULL where it has no meaning, as everywhere in a lake."""
    return None if value is None or not math.isfinite(value) else value
