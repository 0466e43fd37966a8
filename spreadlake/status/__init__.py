"""What a lake tells about itself, read from its databases only."""

from spreadlake.status.analytics import (
    read_latest,
    read_latest_pairs,
    read_latest_tests,
    read_open_alerts,
    read_progress,
    read_tests_backlog,
)
from spreadlake.status.build import report_on
from spreadlake.status.extent import (
    BarSpan,
    Totals,
    bar_span,
    database_sizes,
    require_lake,
    sizes_of,
    totals_of,
)
from spreadlake.status.heartbeats import Heartbeats
from spreadlake.status.model import (
    AlertReport,
    FileReport,
    GapReport,
    LakeReport,
    MissingReport,
    PairReport,
    ServiceReport,
    SymbolReport,
    TestsBacklog,
)
from spreadlake.status.services import (
    look_until_sure,
    never_started,
    read_service,
    service_in,
    status_of,
)
from spreadlake.status.snapshots import LakeSnapshot, snapshot
from spreadlake.status.ticks import last_trade_ms, read_identity, report_symbols

__all__ = [
    "AlertReport",
    "BarSpan",
    "FileReport",
    "GapReport",
    "Heartbeats",
    "LakeReport",
    "LakeSnapshot",
    "MissingReport",
    "PairReport",
    "ServiceReport",
    "SymbolReport",
    "TestsBacklog",
    "Totals",
    "bar_span",
    "database_sizes",
    "last_trade_ms",
    "look_until_sure",
    "never_started",
    "read_identity",
    "read_latest",
    "read_latest_pairs",
    "read_latest_tests",
    "read_open_alerts",
    "read_progress",
    "read_service",
    "read_tests_backlog",
    "report_on",
    "report_symbols",
    "require_lake",
    "service_in",
    "sizes_of",
    "snapshot",
    "status_of",
    "totals_of",
]
