"""The report as tables for a terminal."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from spreadlake.status.model import LakeReport, PairReport, ServiceReport
from spreadlake.times import iso_utc
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


_MISSING_REMEDY = (
    "put these files back in ticks/, or import the dumps of these days again: spreadlake import"
)


def as_tables(report: LakeReport) -> RenderableType:
    """Everything in the report; a part that is empty is left out."""
    parts: list[RenderableType] = [_headline(report), _services(report.services)]
    if report.symbols:
        parts.append(_symbols(report))
    if report.not_trading:
        parts.append(_not_trading(report.not_trading))
    if report.missing:
        parts += [_missing(report), Text(_MISSING_REMEDY, style="bold red")]
    if report.gaps:
        parts.append(_gaps(report))
    if report.pairs:
        parts.append(_pairs(report.pairs))
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
    return Text("\n".join([*lines, *_connections(report), analysed, *_slow_tests(report)]))


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


def _table(title: str, *columns: str, right: tuple[str, ...] = ()) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        justify = "right" if column in right else "left"
        table.add_column(column, justify=justify, header_style="dim")  # type: ignore[arg-type]
    return table


def _services(services: list[ServiceReport]) -> Table:
    table = _table("services", "service", "state", "")
    for service in services:
        table.add_row(service.name, _state(service.state), service.message)
    return table


def _symbols(report: LakeReport) -> Table:
    numbers = ("price", "trades", "open gaps", "lost gaps")
    table = _table("symbols", "symbol", *numbers, "latest trade", right=numbers)
    for s in report.symbols:
        latest = age(report.reported_at, s.last_trade_at)
        gaps = [Text(str(n), style="bold red" if n else "") for n in (s.gaps_open, s.gaps_lost)]
        table.add_row(s.symbol, number(s.price), f"{s.ticks:,}", *gaps, latest)
    return table


def _not_trading(statuses: dict[str, str]) -> Table:
    table = _table("not trading now", "symbol", "status")
    for symbol, status in statuses.items():
        table.add_row(symbol, Text(status, style="yellow"))
    return table


def _missing(report: LakeReport) -> Table:
    table = _table(
        "Parquet files that are gone", "symbol", "from", "to", "trades", right=("trades",)
    )
    for part in report.missing:
        table.add_row(part.symbol, iso_utc(part.start), iso_utc(part.end), f"{part.trades:,}")
    return table


def _gaps(report: LakeReport) -> Table:
    table = _table(
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


def _pairs(pairs: list[PairReport]) -> Table:
    numbers = ("window", "lookback", "z", "corr", "beta")
    table = _table("pairs", "pair", "bars", *numbers, "state", "", right=numbers)
    for p in pairs:
        values = [signed(p.zscore), signed(p.correlation), number(p.beta, 6)]
        series = [p.pair, p.timeframe, str(p.window), str(p.lookback)]
        message = "" if p.state == "ready" else p.message
        table.add_row(*series, *values, _state(p.state), message)
    return table


def _alerts(report: LakeReport) -> Table:
    numbers = ("window", "lookback", "threshold", "opened at z", "peak z")
    table = _table("open alerts", "rule", "pair", "bars", *numbers, "open since", right=numbers)
    for a in report.alerts:
        levels = [f"{a.threshold:g}", signed(a.opened_zscore), signed(a.peak_zscore)]
        series = [a.rule, a.pair, a.timeframe, str(a.window), str(a.lookback)]
        table.add_row(*series, *levels, f"{iso_utc(a.opened_at)}")
    return table


def _state(state: str) -> Text:
    return Text(state, style=STATE_STYLES.get(state, ""))
