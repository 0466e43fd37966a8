"""What a lake in Python has of portfolios: the back-test of the pairs that screens choose."""

import logging

from spreadlake.cluster import open_tasks
from spreadlake.lake import Lake
from spreadlake.quant.backtest import Costs, Lane, Rules
from spreadlake.quant.backtest.limits import Limits
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

    def _max_stale_bars(self) -> int:
        raise NotImplementedError
