"""What is told of alert events, and in which words. Pure."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from spreadlake.page_link import pair_page
from spreadlake.series import Prices, SeriesKey
from spreadlake.times import iso_utc, timeframe_seconds

What = Literal["opened", "closed"]

MOST_LISTED = 20  # events that a message names; of more it gives the number
MOST_LETTERS = 30_000  # of a body, where the receiver takes that many
_ROOM_FOR_MORE = 20  # letters: "and 12,345 more"


class AlertRow(NamedTuple):
    """A row of `alert_events`, and what was known of the spread as it opened.

    `spread_bps` is how far it was from its mean, `half_life` in bars; `edge_bps` is what a screen
    said that opened it. One that is `withdrawn` was open as its rule was taken away, at
    `closed_at`.
    """

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
    spread_bps: float | None = None
    prices: Prices = "raw"
    withdrawn: bool = False

    @property
    def key(self) -> SeriesKey:
        """Its series."""
        return SeriesKey(self.pair, self.timeframe, self.window, self.lookback)


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


def message_of(news: Sequence[News], page: str | None, letters: int = MOST_LETTERS) -> Message:
    """One message for all of them: what opened first, the farthest from zero first.

    Where the opening and the end of an event are told at once it is one line. `page` is the address
    of the exporter's page; without one there is no link. The body has so many `letters` at most:
    what finds no place is counted.
    """
    opened = {one.alert.id for one in news if one.what == "opened"}
    told = [one for one in news if one.what == "opened" or one.alert.id not in opened]
    ordered = sorted(told, key=lambda one: (one.what != "opened", -abs(one.zscore)))
    lines = [_line(one, page) for one in ordered[:MOST_LISTED]]
    if len("\n".join(lines)) > letters - _ROOM_FOR_MORE:
        lines = _fitting(lines, [_line(one, None) for one in ordered[:MOST_LISTED]], letters)
    if len(ordered) > len(lines):
        lines.append(f"and {len(ordered) - len(lines)} more")
    return Message(_title(ordered), "\n".join(lines))


def _fitting(linked: Sequence[str], plain: Sequence[str], letters: int) -> list[str]:
    """As many lines as there is place for, with their links; else the first without, or cut."""
    room, lines = letters - _ROOM_FOR_MORE, list[str]()
    for line in linked:
        room -= len(line) + 1
        if room < 0:
            break
        lines.append(line)
    if lines:
        return lines
    room = letters - _ROOM_FOR_MORE
    return [plain[0] if len(plain[0]) <= room else f"{plain[0][: max(0, room - 1)]}…"]


def _title(news: Sequence[News]) -> str:
    """Pair, side and z; of several those of the farthest, and how many there are."""
    first = news[0]
    if len(news) == 1:
        return f"{first.alert.pair} {_headline(first)}"
    counts = {what: sum(one.what == what for one in news) for what in ("opened", "closed")}
    told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return f"{told}; farthest {first.alert.pair} {_side(first.alert)}: z {first.zscore:+.2f}"


def _headline(one: News) -> str:
    alert = one.alert
    if alert.withdrawn:
        return f"no alert any more (its rule or bars changed): z reached {alert.peak_zscore:+.2f}"
    if one.what == "closed":
        return f"back: z {_z(alert.closed_zscore)}, it reached {alert.peak_zscore:+.2f}"
    return f"{_side(alert)} the spread: z {alert.opened_zscore:+.2f}"


def _side(alert: AlertRow) -> str:
    """Above its mean a spread is short, below it long."""
    return "short" if alert.opened_zscore > 0 else "long"


def _line(one: News, page: str | None) -> str:
    alert = one.alert
    series = f"{alert.timeframe} bars, window {alert.window}, lookback {alert.lookback}"
    said = [_headline(one), f"threshold {alert.threshold:g}"]
    if one.what == "opened":
        said += _known_of(alert)
    moment = iso_utc(known_at(alert, one.what))
    line = f"{alert.pair} {', '.join(said)} (rule {alert.rule}, {series}), {moment}"
    if page is None:
        return line
    link = pair_page(page, alert.key, alert.opened_at, alert.threshold, alert.prices)
    return f"{line}\n  {link}"


def _known_of(alert: AlertRow) -> list[str]:
    """What was known as it opened, and whether it is over already."""
    said = []
    if alert.spread_bps is not None:
        said.append(f"spread {alert.opened_zscore:+.2f}σ = {alert.spread_bps:+.1f} bps")
    if alert.edge_bps is not None:
        said.append(f"edge {alert.edge_bps:.1f} bps after costs")
    if alert.half_life is not None:
        said.append(f"half-life {alert.half_life:.1f} bars")
    if alert.closed_at is not None:
        lasted = alert.closed_at - alert.opened_at
        said.append(f"back after {lasted} s: z {_z(alert.closed_zscore)}")
    return said


def _z(zscore: float | None) -> str:
    return "–" if zscore is None else f"{zscore:+.2f}"
