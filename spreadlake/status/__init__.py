"""What a lake tells about itself, read from its databases only."""

from spreadlake.status.analytics import (
    read_latest,
    read_latest_pairs,
    read_latest_tests,
    read_open_alerts,
    read_progress,
)
from spreadlake.status.build import database_sizes, report_on, require_lake, sizes_of
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
)
from spreadlake.status.services import (
    look_until_sure,
    never_started,
    read_service,
    service_in,
    status_of,
)
from spreadlake.status.slow_tests import TestsBacklog, read_tests_backlog
from spreadlake.status.snapshots import LakeSnapshot, snapshot
from spreadlake.status.ticks import last_trade_ms, read_identity, read_symbols
from spreadlake.status.totals import Totals, totals_of

__all__ = [
    "AlertReport",
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
    "read_symbols",
    "read_tests_backlog",
    "report_on",
    "require_lake",
    "service_in",
    "sizes_of",
    "snapshot",
    "status_of",
    "totals_of",
]
