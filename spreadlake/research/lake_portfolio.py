"""What a lake in Python has of many pairs: those that screens choose, and one grid over all."""

import logging
from collections.abc import Sequence
from dataclasses import asdict

import polars as pl

from spreadlake.cluster import open_tasks
from spreadlake.lake import Lake
from spreadlake.lake.analytics.definition import SeriesDefinition
from spreadlake.pairs import Pair, parse_pair
from spreadlake.quant.backtest import Costs, Lane, Rules
from spreadlake.quant.backtest.limits import Limits
from spreadlake.quant.backtest.parameters import GridValues
from spreadlake.research.backtests.grid import GridRequest
from spreadlake.research.backtests.pair import BacktestRequest
from spreadlake.research.backtests.pair_grids import take_grids
from spreadlake.research.backtests.screen import ScreenBacktest, take_screen_backtest
from spreadlake.research.backtests.screen_request import MOST_POSITIONS, ScreenBacktestRequest
from spreadlake.research.spans import Time, seconds_of
from spreadlake.research.symbols import Symbols, chosen_of
from spreadlake.series import Prices
from spreadlake.times import length_of

log = logging.getLogger(__name__)


class Portfolios:
    """Part of `OpenLake`."""

    _lake: Lake

    def backtest_screen(
        self,
        timeframe: str = "1m",
        *,
        window: int = 60,
        lookback: int = 240,
        prices: Prices = "log",
        start: Time | None = None,
        end: Time | None = None,
        every: str = "1h",
        symbols: Symbols | None = None,
        min_volume: float = 0.0,
        max_qvalue: float = 0.05,
        top: int = 20,
        max_positions: int | None = MOST_POSITIONS,
        max_notional: float | None = None,
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
        threads: int = 1,
        cluster: str | None = None,
    ) -> ScreenBacktest:
        """What screens would have chosen at each time, traded as one portfolio.

        As `spreadlake backtest --screen`: a screen is taken `every` so often, as it was known
        then, and the first `top` pairs with a q-value up to `max_qvalue` and an edge may be
        entered until the next one; each then goes by its own z-score, as in `backtest`.
        `max_positions` and `max_notional` (both legs) bound what is held at a time; None: without
        such a bound. `.trades`, `.equity`, `.pairs` and `.screens` are frames, `.summary` and
        `.settings` dicts. InputError for what the lake does not have and for settings that make
        no sense, RemovedError for bars that were removed to make room. `cluster` takes the screens
        on many processes or machines, with the same results (docs/cluster.md).

        >>> lake.backtest_screen("1m", every="2h", fee_bps=1)
        ScreenBacktest(9 pairs chosen: 74 trades, net 1,534.48)
        """
        request = ScreenBacktestRequest(
            timeframe,
            window,
            lookback,
            prices,
            chosen_of(symbols),
            min_volume,
            length_of(every, "every"),
            max_qvalue,
            top,
            seconds_of(start, "start"),
            seconds_of(end, "end"),
            Lane(
                Rules(entry, exit, stop, max_bars, min_correlation, max_adf_pvalue),
                Costs(fee_bps, slippage_bps, notional),
            ),
            Limits(max_positions, max_notional),
            funding,
            self._max_stale_bars(),
        )
        with open_tasks(cluster, self._lake, log.warning) as tasks:
            return take_screen_backtest(self._lake, request, None, threads, tasks)

    def grid(
        self,
        pairs: Sequence[str],
        timeframe: str = "1m",
        *,
        grid: GridValues,
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
        cluster: str | None = None,
    ) -> pl.DataFrame:
        """One grid over many pairs, such as `["ETHUSDT/BTCUSDT"]`: a row for each pair and set.

        `pair`, and then what `backtest` gives as `.grid`; the best set of each pair first.
        `cluster` runs the pairs on many processes or machines, with the same results
        (docs/cluster.md).

        >>> lake.grid(["ETHUSDT/BTCUSDT", "ADAUSDT/LINKUSDT"], grid={"entry": [1.5, 2.0]}).height
        4
        """
        named = [parse_pair(pair) for pair in pairs]
        rules = Rules(entry, exit, stop, max_bars, min_correlation, max_adf_pvalue)
        lane = Lane(Rules(), Costs(fee_bps, slippage_bps, notional))
        first = named[0] if named else Pair("", "")
        series = (timeframe, window, lookback, prices)
        request = self._backtest_request(first, series, start, end, lane, funding=funding)
        asked = GridRequest.around(request, asdict(rules), grid)
        with open_tasks(cluster, self._lake, log.warning) as tasks:
            return take_grids(self._lake, asked, named, tasks)

    def _backtest_request(
        self,
        pair: Pair,
        series: tuple[str, int, int, Prices | None],
        start: Time | None,
        end: Time | None,
        lane: Lane,
        *,
        funding: bool,
    ) -> BacktestRequest:
        """Of a series (timeframe, window, lookback, prices); without prices of the lake's own."""
        own = self._definition()
        timeframe, window, lookback, prices = series
        return BacktestRequest(
            pair,
            timeframe,
            window,
            lookback,
            own.prices if prices is None else prices,
            seconds_of(start, "start"),
            seconds_of(end, "end"),
            lane,
            funding,
            own.max_stale_bars,
        )

    def _max_stale_bars(self) -> int:
        return self._definition().max_stale_bars

    def _definition(self) -> SeriesDefinition:
        raise NotImplementedError
