"""Metrics of the collector's work: trades, gaps, frames, connections, commits."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.core import Metric

from exporter.families import Sample, counter, gauge
from exporter.latency import latency_families
from exporter.log import log_families
from spreadlake.lake import read_counters, read_status
from spreadlake.lake.ticks.universe import captured_symbols
from spreadlake.status import LakeSnapshot, SymbolReport, report_symbols, status_of

_BY_SYMBOL = (
    ("ticks", "spreadlake_ticks", "Trades stored."),
    ("gaps", "spreadlake_tick_gaps", "Ranges of trade ids found missing, repaired or not."),
    ("repaired_ticks", "spreadlake_ticks_repaired", "Trades fetched later to fill a gap."),
    ("duplicates", "spreadlake_ticks_duplicate", "Trades received that were stored already."),
    (
        "contradicting",
        "spreadlake_ticks_contradicting",
        "Trades refused because the lake has another trade by their id.",
    ),
    ("ahead", "spreadlake_ticks_ahead", "Trades stored but not followed: dated far ahead."),
)

_BY_CONNECTION = (
    ("first", "spreadlake_trades_first", "Trades that this connection brought before any other."),
    ("repeated", "spreadlake_trades_repeated", "Trades that another connection brought before."),
    (
        "single_gaps",
        "spreadlake_single_connection_gaps",
        "Gaps that there would have been with this connection alone.",
    ),
)

_OVERALL = (
    ("dropped", "spreadlake_ticks_dropped", "Trades let go because memory or disk was full."),
    ("frames", "spreadlake_frames", "WebSocket frames received."),
    ("ignored", "spreadlake_frames_ignored", "Frames that are normal and hold no trade."),
    ("malformed", "spreadlake_frames_malformed", "Frames that could not be understood."),
    ("reconnects", "spreadlake_reconnects", "Connections made again after one was lost."),
    ("batches", "spreadlake_commits", "Transactions committed by the collector."),
    ("commit_seconds", "spreadlake_commit_seconds", "Time the collector spent in transactions."),
    ("rest_requests", "spreadlake_rest_requests", "REST requests sent to the exchange."),
    ("rest_errors", "spreadlake_rest_errors", "REST requests that failed."),
    (
        "rolled_partitions",
        "spreadlake_rolled_partitions",
        "Parquet partitions of ticks written, one a symbol and hour.",
    ),
)


@dataclass(frozen=True)
class Capture:
    """What `ticks.db` tells: counters by (name, symbol), stored symbols, the collector's status.

    `captured` are the symbols that the collector captures, or last did; None: it never said.
    """

    counters: Mapping[tuple[str, str], float] = field(default_factory=dict)
    symbols: Sequence[SymbolReport] = ()
    status: Mapping[str, Any] = field(default_factory=dict)
    captured: Sequence[str] | None = None


def read_capture(look: LakeSnapshot) -> Capture:
    """Counters, symbols and the collector's status."""
    with look.database(look.lake.ticks_db) as db:
        if db is None:
            return Capture()
        status = read_status(db)
        service = status_of(status, "collector")
        return Capture(read_counters(db), report_symbols(db), service, captured_symbols(db))


def capture_families(capture: Capture, configured: Sequence[str]) -> Iterator[Metric]:
    """All families of capture; the counters of captured symbols start at 0.

    Who is captured says the collector, and before it ever did the configuration. The latest trade
    of a symbol that is not captured any more grows old without anything being wrong: it is left
    out.
    """
    if capture.captured is not None:
        configured = capture.captured
    yield from _latest_trades(_still_captured(capture))
    yield from _unrepaired(capture.symbols, configured)
    known = sorted({*configured, *(symbol.symbol for symbol in capture.symbols)})
    for name, metric, text in _BY_SYMBOL:
        samples: list[Sample] = [((s,), capture.counters.get((name, s), 0.0)) for s in known]
        yield counter(metric, text, samples, ["symbol"])
    for name, metric, text in _BY_CONNECTION:
        by_number = {label: value for (of, label), value in capture.counters.items() if of == name}
        samples = [((number,), value) for number, value in sorted(by_number.items())]
        yield counter(metric, text, samples, ["connection"])
    totals = _totals(capture.counters)
    for name, metric, text in _OVERALL:
        yield counter(metric, text, [((), totals.get(name, 0.0))])
    yield from latency_families(capture.counters)
    yield gauge(
        "spreadlake_connections",
        "Connections to the exchange that are open.",
        [((), capture.status.get("connections"))],
    )
    yield gauge(
        "spreadlake_buffer_ticks",
        "Trades in the collector's memory that are not committed yet.",
        [((), capture.status.get("buffer"))],
    )
    yield from log_families(capture.status)


def _still_captured(capture: Capture) -> Sequence[SymbolReport]:
    if capture.captured is None:
        return capture.symbols
    captured = set(capture.captured)
    return [symbol for symbol in capture.symbols if symbol.symbol in captured]


def _latest_trades(symbols: Sequence[SymbolReport]) -> Iterator[Metric]:
    yield gauge(
        "spreadlake_symbol_price",
        "Price of the latest trade.",
        [((s.symbol,), s.price) for s in symbols],
        ["symbol"],
    )
    yield gauge(
        "spreadlake_last_trade_timestamp_seconds",
        "Exchange time of the latest trade.",
        [((s.symbol,), s.last_trade_at) for s in symbols],
        ["symbol"],
    )


def _unrepaired(symbols: Sequence[SymbolReport], configured: Sequence[str]) -> Iterator[Metric]:
    zeros = dict.fromkeys(configured, 0)
    yield gauge(
        "spreadlake_tick_gaps_open",
        "Gaps that are yet to be repaired.",
        [((s,), n) for s, n in (zeros | {s.symbol: s.gaps_open for s in symbols}).items()],
        ["symbol"],
    )
    yield gauge(
        "spreadlake_tick_gaps_lost",
        "Gaps that cannot be repaired any more.",
        [((s,), n) for s, n in (zeros | {s.symbol: s.gaps_lost for s in symbols}).items()],
        ["symbol"],
    )


def _totals(counters: Mapping[tuple[str, str], float]) -> dict[str, float]:
    totals: dict[str, float] = {}
    for (name, _), value in counters.items():
        totals[name] = totals.get(name, 0.0) + value
    return totals
