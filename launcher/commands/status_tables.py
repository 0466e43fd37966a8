"""The report as tables for a terminal."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from spreadlake.status.model import LakeReport, ServiceReport
from spreadlake.times import iso_utc, timeframe_seconds
from spreadlake.words import age, count, duration, number, signed, size

STATE_STYLES = {
    "running": "green",
    "ready": "green",
    "warming": "cyan",
    "stale": "yellow",
    "flat": "yellow",
    "late": "bold red",
    "stopped": "yellow",
    "never started": "dim",
    "unknown": "yellow",
}

_MOST_ROWS = 40  # of symbols, and of pairs
_FEW = 5  # deliveries

_MISSING_REMEDY = (
    "put these files back in ticks/, or import the dumps of these days again: spreadlake import"
)


def as_tables(report: LakeReport, every: bool = False) -> RenderableType:
    """Everything in the report; a part that is empty is left out.

    Of very many symbols and pairs those that matter most are shown, unless it is to be `every` one.
    """
    most = len(report.symbols) + len(report.pairs) if every else _MOST_ROWS
    parts: list[RenderableType] = [_headline(report), _services(report.services)]
    if report.symbols:
        parts.append(_symbols(report, most))
    if report.not_trading:
        parts.append(_not_trading(report.not_trading))
    if report.missing:
        parts += [_missing(report), Text(_MISSING_REMEDY, style="bold red")]
    if report.gaps:
        parts.append(_gaps(report))
    if report.pairs:
        parts.append(_pairs(report, most))
    if report.alerts:
        parts.append(_alerts(report))
    parts.append(Text("files: " + ", ".join(f"{f.name} {size(f.bytes)}" for f in report.files)))
    return Group(*parts)


def _headline(report: LakeReport) -> Text:
    of = {"demo": "simulated market", "exchange": "real exchange"}.get(report.origin or "", "empty")
    lines = [
        f"lake {report.lake} ({of}{', ' if report.trade_kind else ''}{report.trade_kind or ''})"
    ]
    lines.append(f"{report.ticks:,} trades, the latest {_when(report, report.last_trade_at)}")
    lines += _klines(report)
    analysed = "not analysed yet"
    if report.watermark_at is not None:
        analysed = f"analysed up to {_when(report, report.watermark_at)}"
    if report.ticks_unprocessed:
        analysed += f"; {report.ticks_unprocessed:,} trades are yet to be analysed"
    lines += [*_universe(report), *_followed(report)]
    return Text("\n".join([*lines, *_connections(report), analysed, *_slow_tests(report)]))


def _universe(report: LakeReport) -> list[str]:
    """Who is captured, in a line, and what is announced of them."""
    universe = report.universe
    if not universe.known:
        return []
    looked = age(report.reported_at, universe.looked_at)
    lines = [
        f"{count(universe.captured, 'symbol')} captured of {universe.known:,} known (spreadlake "
        f"symbols); the exchange's list was read {looked}"
    ]
    lines += [f"since then: {universe.trouble}"] if universe.trouble else []
    ends = [f"{symbol} at {iso_utc(int(at))}" for symbol, at in universe.deliveries.items()]
    if ends:
        more = f" and {len(ends) - _FEW} more" if len(ends) > _FEW else ""
        lines.append(f"delivery announced: {', '.join(ends[:_FEW])}{more}")
    return lines


def _followed(report: LakeReport) -> list[str]:
    """Who asked for the pairs, where it was not the configuration alone."""
    asked = report.followed
    if not asked.keys() - {"configuration"}:
        return []
    words = {"configuration": "by the configuration", "hand": "by hand", "screen": "by the screen"}
    each = ", ".join(f"{number:,} {words[source]}" for source, number in asked.items())
    return [f"{count(sum(asked.values()), 'pair')} followed: {each} (spreadlake pairs)"]


def _connections(report: LakeReport) -> list[str]:
    """What each of the connections is worth that carry the same symbols; nothing of one alone."""
    trades = sum(one.first for one in report.connections)
    if len(report.connections) < 2 or not trades:
        return []
    each = (
        f"{one.number} first with {one.first / trades:.0%}, alone {count(one.gaps, 'gap')}"
        for one in report.connections
    )
    return [f"connections: {'; '.join(each)}"]


def _klines(report: LakeReport) -> list[str]:
    """How far klines reach, and what there is where there is nothing else."""
    klines = report.klines
    if klines is None:
        return []
    span = f"from {iso_utc(klines.first)} to {iso_utc(klines.end)}"
    line = f"1m klines of {count(klines.symbols, 'symbol')}, {span}"
    if klines.unprocessed:
        line += "; some are yet to be analysed"
    if not report.ticks:
        line += ": bars from 1m up are made of them, and none of seconds, which need trades"
        lengths = {timeframe_seconds(pair.timeframe) for pair in report.pairs}
        if lengths and all(length % 60 for length in lengths):
            line += "; timeframes names none from 1m up: add 1m to it, or import trades"
    return [line]


def _slow_tests(report: LakeReport) -> list[str]:
    """What waits of the slow statistics; nothing where none does."""
    tests = report.slow_tests
    if not tests.due or tests.oldest_at is None:
        return []
    behind = tests.behind_seconds
    late = f"the newest are {duration(behind)} behind" if behind else "the newest are computed"
    return [f"{count(tests.due, 'slow statistic')} due; {late}, from {iso_utc(tests.oldest_at)} on"]


def _when(report: LakeReport, then: float | None) -> str:
    if then is None:
        return "never"
    return f"{iso_utc(int(then))} ({age(report.reported_at, then)})"


def new_table(title: str, *columns: str, right: tuple[str, ...] = ()) -> Table:
    """An empty table; `right` are the columns of numbers."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        justify = "right" if column in right else "left"
        table.add_column(column, justify=justify, header_style="dim")  # type: ignore[arg-type]
    return table


def _services(services: list[ServiceReport]) -> Table:
    table = new_table("services", "service", "state", "")
    for service in services:
        table.add_row(service.name, _state(service.state), service.message)
    return table


def _symbols(report: LakeReport, most: int) -> Table:
    numbers = ("price", "trades", "open gaps", "lost gaps")
    title, shown = "symbols", report.symbols
    if len(shown) > most:
        title += f": {most} of {len(shown):,}, gaps first, then the longest without a trade (--all)"
        by_need = sorted(shown, key=lambda s: (-s.gaps_open, -s.gaps_lost, s.last_trade_at or 0))
        shown = by_need[:most]
    table = new_table(title, "symbol", *numbers, "latest trade", right=numbers)
    for s in shown:
        latest = age(report.reported_at, s.last_trade_at)
        gaps = [Text(str(n), style="bold red" if n else "") for n in (s.gaps_open, s.gaps_lost)]
        table.add_row(s.symbol, number(s.price), f"{s.ticks:,}", *gaps, latest)
    return table


def _not_trading(statuses: dict[str, str]) -> Table:
    table = new_table("not trading now", "symbol", "status")
    for symbol, status in statuses.items():
        table.add_row(symbol, Text(status, style="yellow"))
    return table


def _missing(report: LakeReport) -> Table:
    table = new_table(
        "Parquet files that are gone", "symbol", "from", "to", "trades", right=("trades",)
    )
    for part in report.missing:
        table.add_row(part.symbol, iso_utc(part.start), iso_utc(part.end), f"{part.trades:,}")
    return table


def _gaps(report: LakeReport) -> Table:
    table = new_table(
        "gaps not repaired",
        "symbol",
        "ids",
        "missing",
        "state",
        "found",
        "cause",
        right=("missing",),
    )
    for gap in report.gaps:
        ids = f"{gap.first_id}–{gap.last_id}"
        found = age(report.reported_at, gap.found_at)
        cause = f"{gap.cause}: {gap.message}" if gap.message else gap.cause
        table.add_row(gap.symbol, ids, f"{gap.missing:,}", gap.state, found, cause)
    return table


def _pairs(report: LakeReport, most: int) -> Table:
    numbers = ("window", "lookback", "z", "corr", "beta")
    pairs, trades = report.pairs, bool(report.ticks)
    title = f"pairs, on {report.prices} prices" if report.prices else "pairs"
    if len(pairs) > most:
        title += f": {most} of {len(pairs):,} series, the most stretched first (--all)"
        pairs = sorted(pairs, key=lambda p: -abs(p.zscore or 0.0))[:most]
    table = new_table(title, "pair", "bars", *numbers, "state", "", right=numbers)
    for p in pairs:
        values = [signed(p.zscore), signed(p.correlation), number(p.beta, 6)]
        series = [p.pair, p.timeframe, str(p.window), str(p.lookback)]
        message = "" if p.state == "ready" else p.message
        if not trades and timeframe_seconds(p.timeframe) % 60:
            message += "; these bars need trades"
        if p.state == "warming" and (legs := _not_captured(report, p.pair)):
            message += f"; {' and '.join(legs)} not captured (spreadlake symbols)"
        table.add_row(*series, *values, _state(p.state), message)
    return table


def _not_captured(report: LakeReport, pair: str) -> list[str]:
    """The legs of which nothing comes, by the exchange's list as the collector last read it."""
    if report.universe.looked_at is None:
        return []
    there = {one.symbol for one in report.symbols} | report.universe.trading.keys()
    return [leg for leg in pair.split("/") if leg not in there]


def _alerts(report: LakeReport) -> Table:
    numbers = ("window", "lookback", "threshold", "opened at z", "peak z")
    table = new_table("open alerts", "rule", "pair", "bars", *numbers, "open since", right=numbers)
    for a in report.alerts:
        levels = [f"{a.threshold:g}", signed(a.opened_zscore), signed(a.peak_zscore)]
        series = [a.rule, a.pair, a.timeframe, str(a.window), str(a.lookback)]
        table.add_row(*series, *levels, f"{iso_utc(a.opened_at)}")
    return table


def _state(state: str) -> Text:
    return Text(state, style=STATE_STYLES.get(state, ""))
