"""Builds the report on a lake from whatever of it is there."""

import sqlite3
from collections import Counter
from dataclasses import dataclass, field, replace

from spreadlake.lake import Lake
from spreadlake.lake.analytics.definition import lake_prices
from spreadlake.lake.analytics.followed import count_followed
from spreadlake.lake.ticks.klines import KlineExtent, kline_extent, newest_kline_change
from spreadlake.lake.ticks.rolls import newest_seq
from spreadlake.series import Prices
from spreadlake.status.analytics import (
    Looked,
    read_latest_pairs,
    read_open_alerts,
    read_progress,
    read_tests_backlog,
)
from spreadlake.status.copied import as_copied, read_copied
from spreadlake.status.extent import require_lake, sizes_of
from spreadlake.status.heartbeats import Heartbeats
from spreadlake.status.model import (
    AlertReport,
    ConnectionReport,
    FileReport,
    GapReport,
    KlineReport,
    LakeReport,
    MissingReport,
    PairReport,
    ServiceReport,
    SymbolReport,
    TestsBacklog,
    WarmStartReport,
)
from spreadlake.status.services import never_started, read_service, service_in
from spreadlake.status.snapshots import snapshot
from spreadlake.status.ticks import (
    read_identity,
    read_missing,
    read_not_trading,
    read_warm_start,
    report_connections,
    report_gaps,
    report_symbols,
)
from spreadlake.status.universe import UniverseReport, report_universe


@dataclass
class _Capture:
    service: ServiceReport = field(default_factory=lambda: never_started("collector"))
    origin: str | None = None
    trade_kind: str | None = None
    symbols: list[SymbolReport] = field(default_factory=list)
    not_trading: dict[str, str] = field(default_factory=dict)
    gaps: list[GapReport] = field(default_factory=list)
    newest_seq: int | None = None
    missing: list[MissingReport] = field(default_factory=list)
    connections: list[ConnectionReport] = field(default_factory=list)
    klines: KlineExtent | None = None
    newest_kline: int = 0
    universe: UniverseReport = field(default_factory=UniverseReport)
    warm_start: WarmStartReport | None = None


@dataclass
class _Analysis:
    service: ServiceReport = field(default_factory=lambda: never_started("analytics-job"))
    progress: dict[str, int] = field(default_factory=dict)
    pairs: list[PairReport] = field(default_factory=list)
    alerts: list[AlertReport] = field(default_factory=list)
    slow_tests: TestsBacklog = field(default_factory=TestsBacklog)
    followed: dict[str, int] = field(default_factory=dict)
    prices: Prices | None = None


def report_on(
    lake: Lake,
    now: float,
    sizes: bool = True,
    looked: Looked = (),
    heartbeats: Heartbeats | None = None,
) -> LakeReport:
    """The report on `lake` at `now` (Unix seconds); `sizes` False looks at no file of Parquet.

    Where `looked` has any, only these series of each pair are read; `heartbeats` are those that
    were seen so far.

    Raises LakeError where there is no lake, or a database cannot be read.
    """
    require_lake(lake)
    with snapshot(lake.ticks_db) as db:
        capture = _Capture() if db is None else _read_capture(db, now, heartbeats)
        if db is not None and sizes:
            _without_missing(capture, read_missing(db, lake))
    with snapshot(lake.analytics_db) as db:
        analysis = _Analysis() if db is None else _read_analysis(db, now, looked, heartbeats)
    services = [capture.service, analysis.service]
    if lake.notify_db.exists():
        services.append(read_service(lake.notify_db, "notifier", now, heartbeats))
    if lake.cold_db.exists():
        services.append(read_service(lake.cold_db, "uploader", now, heartbeats))
    services = as_copied(services, read_copied(lake))
    return _assemble(lake, now, capture, analysis, services, sizes_of(lake) if sizes else [])


def _assemble(
    lake: Lake,
    now: float,
    capture: _Capture,
    analysis: _Analysis,
    services: list[ServiceReport],
    files: list[FileReport],
) -> LakeReport:
    last_trades = [s.last_trade_at for s in capture.symbols if s.last_trade_at is not None]
    watermark_ms = analysis.progress.get("watermark_ms")
    watermark = None if watermark_ms is None else watermark_ms / 1000
    return LakeReport(
        lake=str(lake.root),
        reported_at=now,
        origin=capture.origin,
        trade_kind=capture.trade_kind,
        services=services,
        ticks=sum(symbol.ticks for symbol in capture.symbols),
        ticks_unprocessed=_unprocessed(capture, analysis),
        last_trade_at=max(last_trades, default=None),
        watermark_at=watermark,
        lag_seconds=None if watermark is None else now - watermark,
        symbols=capture.symbols,
        not_trading=capture.not_trading,
        gaps=capture.gaps,
        pairs=analysis.pairs,
        alerts=analysis.alerts,
        slow_tests=analysis.slow_tests,
        files=files,
        missing=capture.missing,
        connections=capture.connections,
        klines=_klines(capture, analysis),
        universe=capture.universe,
        warm_start=capture.warm_start,
        followed=analysis.followed,
        prices=analysis.prices,
    )


def _klines(capture: _Capture, analysis: _Analysis) -> KlineReport | None:
    if capture.klines is None:
        return None
    taken = analysis.progress.get("klines_seq", 0)
    return KlineReport(*capture.klines, unprocessed=taken < capture.newest_kline)


def _unprocessed(capture: _Capture, analysis: _Analysis) -> int | None:
    if capture.newest_seq is None:
        return None
    return max(0, capture.newest_seq - analysis.progress.get("read_seq", 0))


def _read_capture(db: sqlite3.Connection, now: float, heartbeats: Heartbeats | None) -> _Capture:
    origin, kind = read_identity(db)
    return _Capture(
        service_in(db, "collector", now, heartbeats),
        origin,
        kind,
        report_symbols(db),
        read_not_trading(db),
        report_gaps(db),
        newest_seq(db),
        connections=report_connections(db),
        klines=kline_extent(db),
        newest_kline=newest_kline_change(db),
        universe=report_universe(db),
        warm_start=read_warm_start(db),
    )


def _without_missing(capture: _Capture, missing: list[MissingReport]) -> None:
    """What is gone does not count as held."""
    gone: Counter[str] = Counter()
    for part in missing:
        gone[part.symbol] += part.trades
    capture.missing = missing
    capture.symbols = [replace(s, ticks=s.ticks - gone[s.symbol]) for s in capture.symbols]


def _read_analysis(
    db: sqlite3.Connection, now: float, looked: Looked, heartbeats: Heartbeats | None
) -> _Analysis:
    progress = read_progress(db)
    return _Analysis(
        service_in(db, "analytics-job", now, heartbeats),
        progress,
        read_latest_pairs(db, looked),
        read_open_alerts(db),
        read_tests_backlog(db, progress.get("final_time")),
        count_followed(db),
        lake_prices(db),
    )
