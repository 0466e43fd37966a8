"""What a chosen pair would open while it is chosen, followed to its own exits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise
from typing import Any

import numpy as np

from spreadlake.lake import Lake
from spreadlake.quant.backtest.choices import Stretch
from spreadlake.quant.backtest.limits import Wanted
from spreadlake.quant.backtest.portfolio import gross_values
from spreadlake.quant.backtest.positions import Openings, PositionFinder
from spreadlake.quant.backtest.trades import Market
from spreadlake.research.backtests.market_bars import MarketBars
from spreadlake.research.backtests.screen_request import ScreenBacktestRequest
from spreadlake.research.bar_source import BarSource
from spreadlake.tasks import Tasks, spread

_NEVER = 2**62  # a bar that does not come


@dataclass(frozen=True)
class Found:
    """Openings of one stretch, over the bars [stretch.low, high).

    `wanted` has no numbers of pairs yet: who puts stretches together gives them.
    """

    stretch: Stretch
    high: int
    openings: Openings
    wanted: Wanted


@dataclass(frozen=True)
class OpeningFinder:
    """Finds them in the absolute bars `span` of a run; the bars of one stretch are held at a time.

    Stretches come in the order of their time, so that each piece of it is read once.
    """

    lake: Lake
    request: ScreenBacktestRequest
    source: BarSource
    span: tuple[int, int]

    def __call__(self, stretches: Sequence[Stretch]) -> list[Found]:
        """Of each stretch in which anything would be opened."""
        found = (self._openings(stretch) for stretch in stretches)
        return [one for one in found if one is not None]

    def __getstate__(self) -> dict[str, Any]:
        """What was read is no part of it: it is read again elsewhere."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @cached_property
    def bars(self) -> MarketBars:
        """Of all symbols."""
        request = self.request
        longest = max(request.window, request.lookback)
        return MarketBars(self.lake, self.source, longest, request.max_stale_bars, *self.span)

    def market(self, stretch: Stretch, high: int) -> Market:
        """The bars [stretch.low, high) of its pair, and the signals on them."""
        request, rules = self.request, self.request.lane.rules
        history = self.bars.history(stretch.pair, stretch.low, high)
        tested = None if rules.max_adf_pvalue is None else rules.entry
        signals = history.signals(request.window, request.lookback, request.prices, tested)
        return Market(history.bars, signals)

    def _openings(self, stretch: Stretch) -> Found | None:
        """None where nothing would be opened. Bars are added until all of it has ended."""
        high, end = stretch.high, self.span[1]
        while True:
            high = min(stretch.low + 2 * (high - stretch.low), end)
            market = self.market(stretch, high)
            number = market.bars.time // market.bars.length
            finder = PositionFinder(market.bars, market.signals)
            found = finder.openings(self.request.lane.rules, number < stretch.high)
            if high == end or bool((found.again < len(number)).all()):
                break
        if not len(found.again):
            return None
        return Found(stretch, high, found, self._wanted(stretch, market, found))

    def _wanted(self, stretch: Stretch, market: Market, found: Openings) -> Wanted:
        """In absolute bars; what ends with the bars is over after the last one."""
        number = market.bars.time // market.bars.length
        positions = found.positions
        later = np.append(number, number[-1] + 1)
        filled = positions.fill < len(number)
        signal = number[positions.signal]
        none = np.full(len(signal), -1)
        return Wanted(
            signal=signal,
            closed=np.where(filled, later[positions.exit_fill], _NEVER),
            again=np.where(filled, later[found.again], _NEVER),
            pair=none,
            legs=none,
            rank=stretch.rank_at(signal),
            gross=gross_values(market, positions, self.request.lane.costs),
        )


def iter_openings(
    tasks: Tasks, finder: OpeningFinder, stretches: Sequence[Stretch]
) -> Iterator[Found]:
    """In the order of the stretches, some of which are a task."""
    parts = spread(len(stretches), tasks.workers)
    edges = [len(stretches) * part // parts for part in range(parts + 1)]
    pieces = [stretches[low:high] for low, high in pairwise(edges)]
    return chain.from_iterable(tasks.map(finder, pieces))
