"""Metrics of who is captured: how many symbols, when the exchange told, which of them end."""

from collections.abc import Iterator

from prometheus_client.core import Metric

from exporter.families import gauge
from spreadlake.status import LakeSnapshot, UniverseReport, report_universe


def read_captured(look: LakeSnapshot) -> UniverseReport:
    """What the collector left of it."""
    with look.database(look.lake.ticks_db) as db:
        return UniverseReport() if db is None else report_universe(db)


def universe_families(universe: UniverseReport) -> Iterator[Metric]:
    """All families of who is captured."""
    yield gauge(
        "spreadlake_symbols_captured",
        "Symbols whose trades are captured.",
        [((), float(universe.captured))],
    )
    yield gauge(
        "spreadlake_universe_look_timestamp_seconds",
        "When the exchange's list of symbols was last read, and believed.",
        [((), universe.looked_at)],
    )
    yield gauge(
        "spreadlake_universe_look_failing",
        "1 where a later look did not count: no answer, or one that is not believed; else 0.",
        [((), float(bool(universe.trouble)))],
    )
    yield gauge(
        "spreadlake_symbol_delivery_timestamp_seconds",
        "When a captured symbol ends, as the exchange announced it.",
        [((symbol,), at) for symbol, at in universe.deliveries.items()],
        ["symbol"],
    )
    yield gauge(
        "spreadlake_symbol_trading",
        "1 where trades of a captured symbol are to be expected at any time, 0 where they are not: "
        "it is halted, has ended, or has market hours.",
        [((symbol,), float(trading)) for symbol, trading in universe.trading.items()],
        ["symbol"],
    )
