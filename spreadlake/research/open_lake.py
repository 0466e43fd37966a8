"""A lake in Python: what `spreadlake.open` gives."""

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import polars as pl

from spreadlake.errors import InputError, LakeError
from spreadlake.lake import Lake
from spreadlake.lake.analytics.definition import lake_prices, stored_definition
from spreadlake.lake.databases.connections import open_reader
from spreadlake.pairs import parse_pair
from spreadlake.quant.backtest import Costs, Lane, Rules
from spreadlake.quant.screen import ORDERS, ScreenOptions, ranked
from spreadlake.research.backtest import Backtest, BacktestRequest, take_backtest
from spreadlake.research.screen import ScreenRequest, take_screen
from spreadlake.series import Prices
from spreadlake.times import parse_time

Time = str | datetime | float
"""A text as commands take it (`2026-11-01`, `2026-11-01T12:00:00Z`), a datetime, Unix seconds."""


class OpenLake:
    """A lake to read from, also while services write it."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """LakeError where there is none in the folder `path`."""
        self._lake = Lake(Path(path))
        if not (self._lake.ticks_db.exists() or self._lake.analytics_db.exists()):
            raise LakeError(
                f"no lake in {self._lake.root}: name its folder, or start spreadlake on it"
            )

    def __repr__(self) -> str:
        return f"spreadlake.open({str(self._lake.root)!r})"

    def screen(
        self,
        timeframe: str = "1m",
        *,
        lookback: int = 240,
        window: int = 60,
        at: Time | None = None,
        symbols: Sequence[str] | None = None,
        prices: Prices = "log",
        fee_bps: float = 5.0,
        slippage_bps: float = 0.0,
        min_volume: float = 0.0,
        max_qvalue: float | None = None,
        top: int | None = None,
        order: str = "coint_pvalue",
        threads: int = 1,
    ) -> pl.DataFrame:
        """Every pair of the symbols (None: all) at the newest bar, or as it was known at `at`.

        As `spreadlake screen` gives it, with `time` as UTC datetimes and the best by `order`
        first; `max_qvalue` and `top` leave out the others. InputError for what the lake does not
        have, RemovedError for bars that were removed to make room.

        >>> spreadlake.open("data").screen("1m", lookback=240, top=10)  # doctest: +SKIP
        """
        if order not in ORDERS:
            raise InputError(f"order {order!r}: a screen is ordered by one of {', '.join(ORDERS)}")
        request = ScreenRequest(
            timeframe,
            ScreenOptions(lookback, window, prices, fee_bps, slippage_bps),
            None if symbols is None else tuple(sorted(set(symbols))),
            min_volume,
            self._max_stale_bars(),
        )
        screen = take_screen(self._lake, request, _seconds(at), threads=threads)
        return replace(screen, rows=ranked(screen.rows, order, max_qvalue, top)).frame()

    def backtest(
        self,
        symbol_a: str,
        symbol_b: str,
        timeframe: str = "1m",
        *,
        window: int = 60,
        lookback: int = 300,
        prices: Prices | None = None,
        start: Time | None = None,
        end: Time | None = None,
        entry: float = 2.0,
        exit: float = 0.0,  # noqa: A002 as the command's option
        stop: float | None = None,
        max_bars: int | None = None,
        min_correlation: float | None = None,
        max_adf_pvalue: float | None = None,
        fee_bps: float = 5.0,
        slippage_bps: float = 0.0,
        notional: float = 10_000.0,
        funding: bool = False,
    ) -> Backtest:
        """Would it have paid: z-score mean reversion of A against B on bars start <= time < end.

        As `spreadlake backtest`: `.trades` and `.equity` are frames, `.summary` and `.settings`
        dicts, `.notes` says what a reader of the numbers has to know. `prices` None: what the
        lake's own series are computed on. InputError for what the lake does not have and for
        settings that make no sense, RemovedError for bars that were removed to make room.

        >>> lake.backtest("BTCUSDT", "ETHUSDT", entry=2, stop=4).summary  # doctest: +SKIP
        """
        with closing(open_reader(self._lake.analytics_db)) as db:
            prices = prices or lake_prices(db) or "raw"
        rules = Rules(entry, exit, stop, max_bars, min_correlation, max_adf_pvalue)
        request = BacktestRequest(
            parse_pair(f"{symbol_a}/{symbol_b}"),
            timeframe,
            window,
            lookback,
            prices,
            _seconds(start),
            _seconds(end),
            Lane(rules, Costs(fee_bps, slippage_bps, notional)),
            funding,
            self._max_stale_bars(),
        )
        return take_backtest(self._lake, request)

    def _max_stale_bars(self) -> int:
        """As the lake's own series are computed; the default where it has none."""
        with closing(open_reader(self._lake.analytics_db)) as db:
            stored = stored_definition(db)
        return ScreenRequest().max_stale_bars if stored is None else stored.max_stale_bars


def _seconds(time: Time | None) -> float | None:
    if isinstance(time, str):
        return parse_time(time)
    if isinstance(time, datetime):
        if time.tzinfo is None:
            raise InputError(f"time {time} has no zone; add one, such as tzinfo=UTC")
        return time.timestamp()
    return time
