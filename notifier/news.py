"""What is told of alert events, and in which words. Pure."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from spreadlake.times import iso_utc, timeframe_seconds

What = Literal["opened", "closed"]

MOST_LISTED = 20  # events that a message names; of more it gives the number


class AlertRow(NamedTuple):
    """A row of `alert_events`; with edge and half-life (bars) where a screen opened it."""

    id: int
    rule: str
    pair: str
    timeframe: str
    window: int
    lookback: int
    threshold: float
    opened_at: int
    opened_zscore: float
    peak_zscore: float
    closed_at: int | None
    closed_zscore: float | None
    edge_bps: float | None = None
    half_life: float | None = None


class News(NamedTuple):
    """An event that opened, or that closed."""

    what: What
    alert: AlertRow

    @property
    def zscore(self) -> float:
        """The z-score that is told: at the opening, or the farthest of one that is over."""
        return self.alert.opened_zscore if self.what == "opened" else self.alert.peak_zscore


class Message(NamedTuple):
    """What is sent."""

    title: str
    body: str


def known_at(alert: AlertRow, what: What) -> int:
    """Unix second at which the bar that opened or closed the event ended."""
    bar = alert.opened_at if what == "opened" or alert.closed_at is None else alert.closed_at
    return bar + timeframe_seconds(alert.timeframe)


def message_of(news: Sequence[News]) -> Message:
    """One message for all of them: what opened first, the farthest from zero first."""
    ordered = sorted(news, key=lambda one: (one.what != "opened", -abs(one.zscore)))
    lines = [_line(one) for one in ordered[:MOST_LISTED]]
    if len(ordered) > MOST_LISTED:
        lines.append(f"and {len(ordered) - MOST_LISTED} more")
    return Message(_title(ordered), "\n".join(lines))


def _title(news: Sequence[News]) -> str:
    if len(news) == 1:
        return f"{news[0].alert.pair} {_headline(news[0])}"
    counts = {what: sum(one.what == what for one in news) for what in ("opened", "closed")}
    told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    widest = max(news, key=lambda one: abs(one.zscore))
    return f"{told}; farthest {widest.alert.pair} z {widest.zscore:+.2f}"


def _headline(one: News) -> str:
    """Side and z: above its mean a spread is short, below it long."""
    alert = one.alert
    if one.what == "closed":
        return f"back: z {_z(alert.closed_zscore)}, it reached {alert.peak_zscore:+.2f}"
    side = "short" if alert.opened_zscore > 0 else "long"
    return f"{side} the spread: z {alert.opened_zscore:+.2f}"


def _line(one: News) -> str:
    alert = one.alert
    series = f"{alert.timeframe} bars, window {alert.window}, lookback {alert.lookback}"
    return (
        f"{alert.pair} {_headline(one)}{_screened(one)} (threshold {alert.threshold:g}, "
        f"rule {alert.rule}, {series}), {iso_utc(known_at(alert, one.what))}"
    )


def _screened(one: News) -> str:
    """Edge and half-life of what a screen opened, as they were then."""
    alert = one.alert
    if alert.edge_bps is None or one.what == "closed":
        return ""
    half_life = "" if alert.half_life is None else f", half-life {alert.half_life:.1f} bars"
    return f", edge {alert.edge_bps:.1f} bps after costs{half_life}"


def _z(zscore: float | None) -> str:
    return "–" if zscore is None else f"{zscore:+.2f}"
