"""What the terminal shows while the pipeline runs, as lines that fit the window. Pure."""

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.text import Text

from spreadlake.status import AlertReport, LakeReport, PairReport, SymbolReport
from spreadlake.times import iso_utc
from spreadlake.words import age, count, duration, number, signed

_PRICE_LINES = 3
_ALERT_LINES = 4
_LOG_LINES = 3  # at least, where the window has room
_LONGEST_PAIR = 30
_FOOT_SHARE = 5  # of the height at most a fifth
_TABLE_LINES = 3  # of a timeframe at least: its head, a pair, and how many more there are
_DATE = re.compile(r"^\d{4}-\d\d-\d\dT(?=\d\d:\d\d:\d\dZ )")


@dataclass(frozen=True)
class ShownSeries:
    """The series shown of each pair, and the |z| from which on it is coloured."""

    timeframe: str
    window: int
    lookback: int
    threshold: float

    @property
    def key(self) -> tuple[str, int, int]:
        """Timeframe, window and lookback of the series."""
        return self.timeframe, self.window, self.lookback

    def shows(self, row: PairReport) -> bool:
        """Whether `row` is of the series that is shown."""
        return (row.timeframe, row.window, row.lookback) == self.key


@dataclass(frozen=True)
class LiveScreen:
    """Everything that is drawn: `children` are the states of the processes by name.

    `watched` has one series for each timeframe; `foot` says what to type next.
    """

    title: str
    facts: Sequence[str]
    watched: Sequence[ShownSeries]
    elapsed: float = 0.0
    rate: float | None = None
    report: LakeReport | None = None
    children: Mapping[str, str] = field(default_factory=dict)
    log: Sequence[str] = ()
    foot: Sequence[str] = ()


def draw(screen: LiveScreen, width: int, height: int) -> list[Text]:
    """At most `height` lines, none wider than `width`: what does not fit is counted."""
    lines, foot = _head(screen, width), _foot(screen.foot, width, height)
    report = screen.report
    if report is not None:
        lines += [Text(), *_prices(report.symbols, width)]
        alerts = _alerts(report)
        room = height - len(lines) - len(alerts) - len(foot) - _LOG_LINES - 2
        lines += [Text(), *_tables(report, screen.watched, room, width), *alerts]
    room = height - len(lines) - len(foot) - 1
    if room > 0:
        lines += [Text(), *_log(screen.log, room, width)]
    lines = lines[: max(height - len(foot), 0)]
    # At the bottom of the window, where nothing moves it.
    lines += [Text()] * (height - len(lines) - len(foot)) if foot else []
    lines += foot
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return lines[:height]


def _foot(hints: Sequence[str], width: int, height: int) -> list[Text]:
    """What can be typed, each of them whole, or nothing where a window is too low for it."""
    lines = [
        Text(f" {part}", style="dim")
        for hint in hints
        for part in textwrap.wrap(
            hint, max(width - 1, 8), subsequent_indent="  ", break_on_hyphens=False
        )
    ]
    return [Text(), *lines] if len(lines) * _FOOT_SHARE <= height else []


def _log(log: Sequence[str], room: int, width: int) -> list[Text]:
    """The newest messages that fit, each of them whole: cause and remedy come last in it."""
    shown: list[Text] = []
    for line in reversed(log):
        message = _message(line, width)
        if shown and len(shown) + len(message) > room:
            break
        shown = message[:room] + shown
    return shown


def _message(line: str, width: int) -> list[Text]:
    # The date of a line that is seconds old says nothing.
    text = _DATE.sub("", line)
    style = "dim" if " INFO " in text else "yellow"
    parts = textwrap.wrap(text, max(width - 1, 8), subsequent_indent="  ")
    return [Text(f" {part}", style=style) for part in parts]


def _head(screen: LiveScreen, width: int) -> list[Text]:
    running = f"{duration(screen.elapsed)} "
    title = Text(f" {screen.title}", style="bold")
    title.append(" " * max(1, width - title.cell_len - len(running)))
    title.append(running, style="not bold")
    facts = [Text(f" {fact}", style="dim") for fact in screen.facts]
    return [title, *facts, _services(screen), _vitals(screen)]


def _services(screen: LiveScreen) -> Text:
    line = Text()
    reports = {} if screen.report is None else {s.name: s for s in screen.report.services}
    for name, state in screen.children.items():
        trouble = reports[name].trouble if name in reports and state == "running" else ""
        fine = state == "running" and not trouble
        line.append(" ● ", style="green" if fine else "bold red")
        line.append(name if fine else f"{name} {trouble or state}")
    return line


def _vitals(screen: LiveScreen) -> Text:
    report = screen.report
    if report is None:
        return Text(" waiting for the first trades", style="dim")
    line = Text(f" {report.ticks:,} ticks")
    if screen.rate is not None:
        line.append(f", {screen.rate:,.0f} a second")
    if report.watermark_at is not None:
        at = iso_utc(int(report.watermark_at))[11:19]
        line.append(f"; analysed up to {at} UTC, {age(report.reported_at, report.watermark_at)}")
    return line


def _prices(symbols: Sequence[SymbolReport], width: int) -> list[Text]:
    lines = [Text()]
    for done, symbol in enumerate(symbols):
        item = Text(f" {symbol.symbol} ", style="dim")
        item.append(f"{number(symbol.price)}  ", style="not dim bold")
        if lines[-1].cell_len + item.cell_len > width and lines[-1].cell_len:
            if len(lines) == _PRICE_LINES:
                lines[-1].append(f" and {len(symbols) - done} more", style="dim")
                break
            lines.append(Text())
        lines[-1].append_text(item)
    return lines


def pick_pairs(pairs: Sequence[PairReport], watched: ShownSeries, room: int) -> list[PairReport]:
    """The rows of the watched series; the most stretched first where not all of them fit.

    Those without a z come after those that have one, in their order.
    """
    mine = [pair for pair in pairs if watched.shows(pair)]
    if len(mine) <= room:
        return mine
    by_z = sorted(mine, key=lambda p: (p.zscore is None, -abs(p.zscore or 0.0)))
    return by_z[: max(room - 1, 1)]


def _tables(
    report: LakeReport, watched: Sequence[ShownSeries], room: int, width: int
) -> list[Text]:
    """A table for each timeframe; the last ones are named where there is no room for them."""
    shown = watched[: max(room // _TABLE_LINES, 1)]
    left_out = [one.timeframe for one in watched[len(shown) :]]
    room -= bool(left_out)
    lines: list[Text] = []
    for done, one in enumerate(shown):
        share = (room - len(lines)) // (len(shown) - done)
        lines += _pairs(report, one, max(share - 1, 1), width)
    if left_out:
        lines.append(Text(f" no room for bars of {', '.join(left_out)}", style="dim"))
    return lines


def _pairs(report: LakeReport, watched: ShownSeries, room: int, width: int) -> list[Text]:
    pairs = report.pairs
    shown = pick_pairs(pairs, watched, room)
    # As wide for each timeframe, which all have the same pairs.
    longest = max((len(p.pair) for p in pairs), default=8)
    wide = min(longest, _LONGEST_PAIR, max(width - 42, 8))
    series = f"{watched.timeframe} bars, z over {watched.window}, beta over {watched.lookback}"
    beta = f"beta ({report.prices})" if report.prices else "beta"
    head = Text(f" {'pair':<{wide}} {'z':>7} {'corr':>6} {beta:>11}  {series}", style="dim")
    lines = [head, *(_pair_line(pair, wide, watched.threshold) for pair in shown)]
    mine = [pair for pair in pairs if watched.shows(pair)]
    hidden = [pair for pair in mine if pair not in shown] if len(mine) > len(shown) else []
    if hidden:
        lines.append(Text(f" {_hidden(hidden)}", style="dim"))
    return lines


def _hidden(pairs: Sequence[PairReport]) -> str:
    """How many pairs are left out, and that only those that have a z are less stretched."""
    stretched = sum(pair.zscore is not None for pair in pairs)
    without = len(pairs) - stretched
    if not without:
        return f"{count(stretched, 'more pair')}, less stretched, not shown"
    if not stretched:
        return f"{count(without, 'more pair')} without a z not shown"
    return f"{count(stretched, 'more pair')}, less stretched, and {without} without a z not shown"


def _pair_line(pair: PairReport, wide: int, threshold: float) -> Text:
    line = Text(f" {pair.pair[:wide]:<{wide}} ")
    if pair.state != "ready":
        return line.append(
            f" {pair.message}", style="cyan" if pair.state == "warming" else "yellow"
        )
    beyond = pair.zscore is not None and abs(pair.zscore) > threshold
    line.append(f"{signed(pair.zscore):>7}", style="bold red" if beyond else "bold")
    line.append(f" {signed(pair.correlation):>6} {number(pair.beta, 6):>11}  ")
    return line.append_text(_gauge(pair.zscore, threshold))


def _gauge(zscore: float | None, threshold: float, half: int = 10) -> Text:
    """Where z stands: the middle is 0, the marks are the thresholds, the ends twice those."""
    cells = ["·"] * (2 * half + 1)
    cells[half] = "│"
    cells[half // 2] = cells[half + half // 2] = "┊"
    gauge = Text(style="dim")
    if zscore is None:
        return gauge.append("".join(cells))
    at = half + round(max(-1.0, min(1.0, zscore / (2 * threshold))) * half)
    gauge.append("".join(cells[:at]))
    gauge.append("●", style="not dim bold red" if abs(zscore) > threshold else "not dim")
    return gauge.append("".join(cells[at + 1 :]))


def _alerts(report: LakeReport) -> list[Text]:
    if not report.alerts:
        return []
    lines = [Text(), Text(f" {count(len(report.alerts), 'open alert')}", style="bold red")]
    newest = sorted(report.alerts, key=lambda alert: -alert.opened_at)
    lines += [_alert_line(alert, report.watermark_at) for alert in newest[:_ALERT_LINES]]
    if len(newest) > _ALERT_LINES:
        lines.append(Text(f" and {len(newest) - _ALERT_LINES} older", style="dim"))
    return lines


def _alert_line(alert: AlertReport, watermark: float | None) -> Text:
    since = (
        "" if watermark is None else f", open for {duration(max(0.0, watermark - alert.opened_at))}"
    )
    text = f" {alert.rule}: {alert.pair} {alert.timeframe}/{alert.window}"
    return Text(f"{text} peaked at z {signed(alert.peak_zscore)}{since}")


_MOST_PAIRS = 4


def summarise(
    report: LakeReport,
    watched: Sequence[ShownSeries],
    rate: float | None,
    children: Mapping[str, str],
) -> str:
    """Trades, the most stretched pairs, open alerts, and children that do not run."""
    ticks = f"{report.ticks:,} ticks" + (f" ({rate:,.0f}/s)" if rate is not None else "")
    parts = [ticks]
    room = max(_MOST_PAIRS // len(watched), 1)
    for one in watched:
        timeframe = f" {one.timeframe}" if len(watched) > 1 else ""
        parts += [_pair(pair, timeframe) for pair in pick_pairs(report.pairs, one, room)[:room]]
    if report.alerts:
        parts.append(count(len(report.alerts), "open alert"))
    parts += [f"{name} {state}" for name, state in children.items() if state != "running"]
    parts += [f"{s.name} {s.trouble}" for s in report.services if s.trouble]
    return "; ".join(parts)


def _pair(pair: PairReport, timeframe: str) -> str:
    state = f"z {signed(pair.zscore)}" if pair.state == "ready" else pair.message
    return f"{pair.pair}{timeframe} {state}"
