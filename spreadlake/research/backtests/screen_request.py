"""What a back-test of the pairs that screens choose is asked for."""

from dataclasses import asdict, dataclass, field
from typing import Any

from spreadlake.arguments import (
    bars_of,
    flag_of,
    number_of,
    prices_of,
    require_span,
    whole_of,
)
from spreadlake.errors import InputError
from spreadlake.quant.backtest import Lane
from spreadlake.quant.backtest.limits import Limits
from spreadlake.quant.screen import ScreenOptions
from spreadlake.research.screen import ScreenRequest
from spreadlake.series import Prices
from spreadlake.times import LEAST_SCREENED_BARS, iso_utc, timeframe_of

MOST_POSITIONS = 10
"""Held at a time where nothing else is asked for."""


@dataclass(frozen=True)
class ScreenBacktestRequest:
    """Screens every so many seconds, and a lane run on the pairs that they choose.

    timeframe, window, lookback, prices: of the screens and of the signals alike. symbols (None:
    all), min_volume: who is screened. max_qvalue, top: who of a screen is chosen. Signals are
    taken on the bars with start <= time < end (Unix seconds; None: all there are). InputError for
    values that no screen or time can have.
    """

    timeframe: str = "1m"
    window: int = 60
    lookback: int = 240
    prices: Prices = "log"
    symbols: tuple[str, ...] | None = None
    min_volume: float = 0.0
    every: int = 3600
    max_qvalue: float = 0.05
    top: int = 20
    start: float | None = None
    end: float | None = None
    lane: Lane = field(default_factory=Lane)
    limits: Limits = field(default_factory=lambda: Limits(MOST_POSITIONS))
    funding: bool = False
    max_stale_bars: int = 30

    def __post_init__(self) -> None:
        plain = {
            "window": bars_of("window", self.window),
            "lookback": bars_of("lookback", self.lookback, LEAST_SCREENED_BARS),
            "prices": prices_of(self.prices),
            "min_volume": number_of("min_volume", self.min_volume, 0),
            "every": whole_of("every", self.every, 1, "name a time such as 1h"),
            "max_qvalue": number_of("max_qvalue", self.max_qvalue, 0, 1),
            "top": whole_of("top", self.top, 1, "choose 1 pair or more"),
            "funding": flag_of("funding", self.funding),
        }
        for name, value in plain.items():
            object.__setattr__(self, name, value)
        if self.symbols is not None and len(set(self.symbols)) < 2:
            raise InputError("a pair needs two symbols: name more, or none for all of the lake")
        require_span(self.start, self.end)

    @property
    def screen(self) -> ScreenRequest:
        """Of each time."""
        costs = self.lane.costs
        options = ScreenOptions(
            self.lookback, self.window, self.prices, costs.fee_bps, costs.slippage_bps
        )
        return ScreenRequest(
            self.timeframe, options, self.symbols, self.min_volume, self.max_stale_bars
        )

    @property
    def settings(self) -> dict[str, Any]:
        """By the names of `OpenLake.backtest_screen`; times as ISO 8601 in UTC."""
        start, end = (None if t is None else iso_utc(t) for t in (self.start, self.end))
        return {
            "screen": True,
            "timeframe": self.timeframe,
            "window": self.window,
            "lookback": self.lookback,
            "prices": self.prices,
            "symbols": None if self.symbols is None else list(self.symbols),
            "min_volume": self.min_volume,
            "every": timeframe_of(self.every),
            "max_qvalue": self.max_qvalue,
            "top": self.top,
            "start": start,
            "end": end,
            **asdict(self.lane.rules),
            **asdict(self.lane.costs),
            "max_positions": self.limits.positions,
            "max_notional": self.limits.notional,
            "funding": self.funding,
        }
