"""The section of the alert rules: every field says what it means."""

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from spreadlake.config.screening import ScreenSettings
from spreadlake.config.sections import PairList, Section, Timeframe
from spreadlake.lake.analytics.screens import PERSISTENCE_SECONDS
from spreadlake.times import MOST_BARS, timeframe_seconds

ONLY_ON_PAIRS = (
    "pairs", "timeframe", "window", "lookback", "min_bars", "min_seconds", "min_hedge_bars",
    "min_correlation", "max_adf_pvalue",
)  # fmt: skip
ONLY_ON_SCREENS = ("max_qvalue", "min_edge_bps", "min_persistence", "max_open")
_OF_SCREEN = {
    "timeframe": "screen.timeframe",
    "window": "screen.window",
    "lookback": "screen.lookback",
    "max_adf_pvalue": "max_qvalue",
    "min_bars": "min_persistence",
    "min_seconds": "min_persistence",
}
_CLOSE_SHARE = 0.5  # of the threshold: where an alert closes unless `close_below` says otherwise
_MIN_SECONDS = 5.0  # unless `min_bars` or `min_seconds` says otherwise


class AlertRule(Section):
    """An alert opens when |z| passes `threshold` and closes when |z| falls under `close_below`.

    With `on = "screen"` it watches every pair of the live screen instead of pair analytics.
    """

    name: str = Field(min_length=1, max_length=60, description="name of the rule")
    on: Literal["pair", "screen"] = Field(
        "pair",
        description="what it watches: pair analytics, bar by bar, or all pairs of each live screen",
    )
    pairs: PairList = Field("all", description='pairs it watches, or "all"')
    timeframe: Timeframe = Field("1s", description="timeframe it watches")
    window: int = Field(60, ge=2, description="z-score window it watches, in bars")
    lookback: int | None = Field(
        None, ge=2, examples=[300], description="lookback it watches; unset: all of them"
    )
    threshold: float = Field(2.0, gt=0, description="opens when |z| is greater")
    close_below: float | None = Field(
        None,
        gt=0,
        examples=[1.0],
        description="closes when |z| is less; unset: half of the threshold",
    )
    min_seconds: float | None = Field(
        None,
        ge=0,
        le=86_400,
        examples=[5.0],
        description="opens only once |z| has been greater for this long, bar after bar; unset: 5, "
        "or what min_bars says",
    )
    min_bars: int | None = Field(
        None,
        ge=1,
        le=MOST_BARS,
        examples=[5],
        description="the same in bars, whatever the timeframe; of both the longer counts; unset: 1",
    )
    quiet_seconds: float = Field(
        600.0,
        ge=0,
        le=86_400,
        description="after an alert of a pair has closed the rule opens no other of that pair for "
        "this long, whatever the lookback; 0: at once",
    )
    min_hedge_bars: float = Field(
        1.0,
        ge=0,
        le=1,
        description="opens only where the hedge ratio is over this share of the lookback",
    )
    min_correlation: float | None = Field(
        None,
        ge=-1,
        le=1,
        examples=[0.5],
        description="opens only where the correlation is at least this",
    )
    max_adf_pvalue: float | None = Field(
        None,
        gt=0,
        le=1,
        examples=[0.05],
        description="opens only where the latest ADF p-value is at most this",
    )
    min_volume: float | None = Field(
        None,
        ge=0,
        examples=[100000.0],
        description="opens only where both legs traded this much (quote): in the window; on a "
        "screen in its lookback",
    )
    max_qvalue: float | None = Field(
        None,
        gt=0,
        le=1,
        examples=[0.05],
        description="on a screen: opens only where the q-value is at most this; unset: "
        "screen.max_qvalue",
    )
    min_edge_bps: float | None = Field(
        None,
        examples=[0.0],
        description="on a screen: opens only where the edge after costs is at least this; unset: 0",
    )
    min_persistence: float | None = Field(
        None,
        ge=0,
        le=1,
        examples=[0.5],
        description="on a screen: opens only where the persistence is at least this",
    )
    max_open: int | None = Field(
        None,
        ge=1,
        le=10_000,
        examples=[20],
        description="on a screen: pairs with an open alert at once, those of the greatest edge "
        "first; unset: screen.top",
    )

    @model_validator(mode="after")
    def _levels(self) -> Self:
        if self.close_below is not None and self.close_below > self.threshold:
            raise ValueError(
                f"close_below {self.close_below} is above threshold {self.threshold}; "
                "it must be the same or lower"
            )
        return self

    @model_validator(mode="after")
    def _keys_of_its_kind(self) -> Self:
        """Every key that says nothing on what the rule watches, with its value and the remedy."""
        others = ONLY_ON_PAIRS if self.on == "screen" else ONLY_ON_SCREENS
        given = [key for key in others if key in self.model_fields_set]
        if wrong := [key for key in given if getattr(self, key) is not None]:
            raise ValueError("; ".join(self._refused(key) for key in wrong))
        return self

    def _refused(self, key: str) -> str:
        value = getattr(self, key)
        shown = [list(pair) for pair in value] if isinstance(value, list) else value
        if self.on == "pair":
            return (
                f'{key} = {shown!r} is asked of the pairs of a screen; set on = "screen", or '
                f"leave {key} out"
            )
        instead = f"; on a screen it is {_OF_SCREEN[key]}" if key in _OF_SCREEN else ""
        return (
            f'{key} = {shown!r} is asked of pair analytics, and the rule has on = "screen"'
            f'{instead}; leave {key} out, or set on = "pair"'
        )

    @property
    def close_level(self) -> float:
        """|z| under which an open alert closes."""
        return _CLOSE_SHARE * self.threshold if self.close_below is None else self.close_below

    @property
    def least_bars(self) -> int:
        """Bars of its timeframe in a row beyond the threshold before it opens."""
        seconds = self.min_seconds
        if seconds is None:
            seconds = _MIN_SECONDS if self.min_bars is None else 0.0
        return max(self.min_bars or 1, math.ceil(seconds / timeframe_seconds(self.timeframe)))


def check_screened(rule: AlertRule, screen: ScreenSettings) -> None:
    """ValueError where a rule on the screen could never open an alert."""
    if not screen.enabled:
        raise ValueError(
            f'alerts: rule {rule.name!r} is on = "screen", and screen.enabled is false; set '
            "enabled = true under [screen], or leave the rule out"
        )
    if rule.min_persistence and screen.step_seconds > PERSISTENCE_SECONDS:
        raise ValueError(
            f"alerts: rule {rule.name!r} has min_persistence = {rule.min_persistence:g}, a share "
            f"of the screens of the hour before, and they are {screen.step_seconds:,} s apart; "
            "leave it out, or set screen.interval and screen.timeframe to an hour or less"
        )
