"""A lake in Python: what `spreadlake.open` gives."""

import logging
import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from spreadlake.arguments import number_of, whole_of
from spreadlake.cluster import open_tasks
from spreadlake.errors import InputError, LakeError
from spreadlake.lake.analytics.definition import SeriesDefinition, definition_of
from spreadlake.lake.places import lake_at
from spreadlake.pairs import parse_pair
from spreadlake.quant.backtest import Costs, Lane, Rules
from spreadlake.quant.backtest.parameters import GridValues
from spreadlake.quant.screen import ORDERS, ScreenOptions, ranked
from spreadlake.research.backtests.grid import Duration, GridRequest, take_grid
from spreadlake.research.backtests.pair import Backtest, take_backtest
from spreadlake.research.coverage.frame import coverage_frame
from spreadlake.research.frames.bars import analytics_of, bars_frame, wide_bars_frame
from spreadlake.research.frames.events import alerts_frame, gaps_frame
from spreadlake.research.frames.pairs import pair_frame, pair_request
from spreadlake.research.frames.trades import trades_frame
from spreadlake.research.lake_portfolio import Portfolios
from spreadlake.research.screen import ScreenRequest, take_screen
from spreadlake.research.spans import Span, Time, seconds_of
from spreadlake.research.symbols import Symbols, chosen_of, names_of
from spreadlake.series import Prices

log = logging.getLogger(__name__)


class OpenLake(Portfolios):
    """A lake to read from, also while services write it.

    Frames have UTC datetimes in `time`; of bars that is their open. A time to ask for is a text
    (`2026-11-01`, `2026-11-01T12:00:00Z`), a datetime with a zone, a date or Unix seconds, and a
    span is from `start` to before `end`; None is from the first, or to the newest, that there is.

    InputError for what the lake does not have, and RemovedError for what was removed to make room;
    of a LazyFrame both may come when it is collected. Its `.filter` on `time` and `symbol` and its
    `.select` reach the files and databases: what is not asked for is not read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """LakeError where there is none at `path`, a folder or `s3://bucket/prefix`."""
        self._lake, self._name = lake_at(path), os.fspath(path)
        if not (self._lake.ticks_db.exists() or self._lake.analytics_db.exists()):
            raise LakeError(
                f"no lake in {self._lake.root}: name its folder, or start spreadlake on it"
            )

    def __repr__(self) -> str:
        return f"spreadlake.open({self._name!r})"

    @property
    def path(self) -> Path:
        """The folder; of a lake in object storage the one that its catalogue is kept in."""
        return self._lake.root

    def reach(self) -> dict[str, datetime]:
        """Where a lake in object storage ends: its `trades`, and its bars by timeframe.

        What came since then is on the machine that captures. Empty for a folder, which has all.

        >>> lake.reach()
        {}
        """
        if not self._lake.cold_db.exists():
            return {}
        from spreadlake.lake.cold.opening import reach_of  # noqa: PLC0415 most lakes have none

        return reach_of(self._lake)

    def trades(
        self, symbols: Symbols | None = None, start: Time | None = None, end: Time | None = None
    ) -> pl.LazyFrame:
        """Trades by symbol, time and id, each once, wherever they are (None: of all symbols).

        `trade_id`, `price`, `qty` and the other columns are those of the table `ticks`.

        >>> trades = lake.trades("BTCUSDT", start="2026-11-02T00:30Z", end="2026-11-02T00:31Z")
        >>> trades.select("time", "price").collect().shape
        (33, 2)
        """
        return trades_frame(self._lake, names_of(symbols), Span.of(start, end))

    def bars(
        self,
        symbols: Symbols | None = None,
        timeframe: str = "1m",
        start: Time | None = None,
        end: Time | None = None,
        *,
        wide: str | None = None,
    ) -> pl.LazyFrame:
        """Final bars by symbol and time (None: of all symbols), of any timeframe.

        Those that are stored, or made of the longest stored ones that divide it. With
        `wide="close"`, or another column's name, a row a time and a column a symbol: null where a
        symbol has no bar then, and nothing is filled in.

        >>> lake.bars("BTCUSDT", "1h", start="2026-11-01", end="2026-11-02").collect().shape
        (24, 10)
        >>> lake.bars(["BTCUSDT", "ETHUSDT"], "1m", wide="close").collect().columns
        ['time', 'BTCUSDT', 'ETHUSDT']
        """
        names, span = names_of(symbols), Span.of(start, end)
        if wide is None:
            return bars_frame(self._lake, names, timeframe, span)
        return wide_bars_frame(self._lake, names, timeframe, span, wide)

    def pair(
        self,
        a: str,
        b: str,
        timeframe: str = "1m",
        *,
        window: int = 60,
        lookback: int = 300,
        prices: Prices | None = None,
        start: Time | None = None,
        end: Time | None = None,
    ) -> pl.LazyFrame:
        """Hedge ratio, spread, z-score, correlation and the rest of any two symbols, bar by bar.

        The columns of `spreadlake csv` and its rows: those that the lake keeps, or the same
        computed from the bars. A row is known at `close_time`. `prices`: on "raw" or "log" closes;
        None is as the lake's own are.

        >>> rows = lake.pair("ETHUSDT", "BTCUSDT", "1m", window=60, lookback=240)
        >>> rows.filter(pl.col("zscore").abs() >= 2).select("close_time", "zscore").collect().height
        91
        """
        span = Span.of(start, end)
        request = pair_request(a, b, timeframe, window, lookback, prices, span)
        return pair_frame(self._lake, request)

    def alerts(self) -> pl.DataFrame:
        """Every event of an alert, the oldest first; open ones have no `closed_at`.

        >>> lake.alerts().filter(pl.col("closed_at").is_null()).height  # open ones
        0
        """
        return alerts_frame(self._lake)

    def gaps(self, *, repaired: bool = False) -> pl.DataFrame:
        """Ranges of trade ids that are missing, and why; with `repaired` also those that were.

        `time` is when it was noticed, by the clock of the machine that captures.

        >>> lake.gaps().select("symbol", "first_id", "last_id", "cause").height
        0
        """
        return gaps_frame(self._lake, repaired=repaired)

    def coverage(self, symbols: Symbols | None = None) -> pl.DataFrame:
        """What there is of each symbol from `start` to before `end`, what is `missing`, and why.

        A row for the `trades` and one for the `bars` of each timeframe, with how many there are,
        and one for each stretch that is missing, by `kind` (docs/python.md lists them).

        >>> lake.coverage("BTCUSDT").select("kind", "trades", "bars").rows()
        [('bars', None, 1500), ('bars', None, 3599), ('trades', 1798, None), ('klines', None, None)]
        """
        return coverage_frame(self._lake, names_of(symbols))

    def screen(
        self,
        timeframe: str = "1m",
        *,
        lookback: int = 240,
        window: int = 60,
        at: Time | None = None,
        symbols: Symbols | None = None,
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

        >>> lake.screen("1m", lookback=240, max_qvalue=0.05).select("symbol_a", "symbol_b").rows()
        [('ETHUSDT', 'BTCUSDT'), ('ADAUSDT', 'LINKUSDT')]
        """
        if not isinstance(order, str) or order not in ORDERS:
            raise InputError(f"order {order!r}: a screen is ordered by one of {', '.join(ORDERS)}")
        top = None if top is None else whole_of("top", top, 1, "ask for 1 pair or more")
        if max_qvalue is not None:
            max_qvalue = number_of("max_qvalue", max_qvalue, 0)
        request = ScreenRequest(
            timeframe,
            ScreenOptions(lookback, window, prices, fee_bps, slippage_bps),
            chosen_of(symbols),
            min_volume,
            self._max_stale_bars(),
        )
        screen = take_screen(self._lake, request, seconds_of(at, "at"), threads=threads)
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
        grid: GridValues | None = None,
        train: Duration | None = None,
        test: Duration | None = None,
        cluster: str | None = None,
    ) -> Backtest:
        """Would it have paid: z-score mean reversion of A against B on bars start <= time < end.

        As `spreadlake backtest`: `.trades` and `.equity` are frames, `.summary` and `.settings`
        dicts, `.notes` says what a reader of the numbers has to know. `prices` None: what the
        lake's own series are computed on. InputError for what the lake does not have and for
        settings that make no sense, RemovedError for bars that were removed to make room.

        With a `grid`, such as `{"entry": [1.5, 2, 2.5], "stop": [None, 4]}`, every combination of
        its values is run: the result is that of the best by Sharpe ratio, `.grid` has all of them
        and `.selection` what the best of so many is worth. With spans to `train` and to `test` in,
        such as "30d" and "7d", or numbers of bars, it is a walk-forward: the result is the test
        spans put together, `.folds` has what was chosen in each training, and what it earned there
        and in the test, `.chosen` how often. `cluster` ("local", "local:4" or "tcp://host:8786")
        runs the sets on many processes or machines, with the same results (docs/cluster.md).

        >>> lake.backtest("ETHUSDT", "BTCUSDT", "1m", lookback=240, entry=2, fee_bps=5)
        Backtest(ETHUSDT/BTCUSDT: 37 trades, net 266.59)
        """
        rules: dict[str, Any] = {
            "entry": entry,
            "exit": exit,
            "stop": stop,
            "max_bars": max_bars,
            "min_correlation": min_correlation,
            "max_adf_pvalue": max_adf_pvalue,
        }
        pair = parse_pair(f"{symbol_a}/{symbol_b}")
        series = (timeframe, window, lookback, prices)
        lane = Lane(
            Rules() if grid is not None else Rules(**rules),
            Costs(fee_bps, slippage_bps, notional),
        )
        request = self._backtest_request(pair, series, start, end, lane, funding=funding)
        if grid is not None:
            asked = GridRequest.around(request, rules, grid, train, test)
            with open_tasks(cluster, self._lake, log.warning) as tasks:
                return take_grid(self._lake, asked, tasks)
        if (train, test, cluster) != (None, None, None):
            raise InputError("train, test and cluster are of the sets of a grid: add one")
        return take_backtest(self._lake, request)

    def _definition(self) -> SeriesDefinition:
        """What the lake's own series are computed with; the usual where it has none."""
        with analytics_of(self._lake) as db:
            return definition_of(db)
