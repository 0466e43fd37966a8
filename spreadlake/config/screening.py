"""The section of the live screen: every field says what it means."""

import math
from collections.abc import Sequence

from pydantic import Field

from spreadlake.config.sections import Section, Timeframe
from spreadlake.quant.screen_choice import BAND
from spreadlake.times import LEAST_SCREENED_BARS, MOST_BARS, timeframe_seconds


class ScreenSettings(Section):
    """Every pair of the captured symbols, tested again and again."""

    enabled: bool = Field(False, description="whether the analytics job screens")
    timeframe: Timeframe = Field("1m", description="length of the bars")
    lookback: int = Field(
        240, ge=LEAST_SCREENED_BARS, le=MOST_BARS, description="bars of the tests"
    )
    window: int = Field(60, ge=3, le=MOST_BARS, description="bars of the z-score")
    interval: float = Field(
        60.0, ge=1, le=86_400, description="seconds between screens, and a bar at the least"
    )
    top: int = Field(200, ge=1, le=10_000, description="pairs kept of each screen")
    pairs: int = Field(
        10,
        ge=1,
        le=1_000,
        description='most pairs that are followed where pairs = "screen"; one that has lost its '
        "place stays beyond that while it has an open alert",
    )
    min_quote_volume: float = Field(
        0.0, ge=0, description="quote volume asked of each leg, in the lookback"
    )
    fee_bps: float = Field(5.0, ge=0, le=10_000, description="fee of each fill, in bps")
    slippage_bps: float = Field(0.0, ge=0, le=10_000, description="slippage of each fill, in bps")
    max_qvalue: float = Field(
        0.05, gt=0, le=1, description="q-value up to which a pair counts as cointegrated"
    )
    keep_hours: float = Field(72.0, ge=1, description="hours that screens are kept")

    @property
    def step_seconds(self) -> int:
        """Seconds from one screen to the next: whole bars."""
        length = timeframe_seconds(self.timeframe)
        return math.ceil(self.interval / length) * length

    def check(self, timeframes: Sequence[str], *, chooses: bool) -> None:
        """ValueError where bars of `timeframes` do not make its own, or it cannot choose pairs."""
        length = timeframe_seconds(self.timeframe)
        if self.enabled and all(length % timeframe_seconds(one) for one in timeframes):
            raise ValueError(
                f"screen: bars of {self.timeframe} cannot be made of those that are computed "
                f"({', '.join(timeframes)}); name a multiple of one of these"
            )
        if chooses and not self.enabled:
            raise ValueError(
                'pairs = "screen": nothing is screened; set enabled = true under [screen], or list '
                "the pairs"
            )
        if chooses and self.top < BAND * self.pairs:
            raise ValueError(
                f"screen.top = {self.top}: pairs are chosen from the first {BAND * self.pairs} of "
                f"each screen where screen.pairs = {self.pairs}; keep as many, or choose fewer"
            )
