"""What a lake tells about itself, read from its databases only."""

from spreadlake.status.analytics import (
    read_latest,
    read_latest_pairs,
    read_latest_tests,
    read_progress,
    read_tests_backlog,
)
from spreadlake.status.build import report_on
from spreadlake.status.copied import as_copied, read_copied
from spreadlake.status.extent import (
    BarSpan,
    bar_span,
    database_sizes,
    require_lake,
    totals_of,
)
from spreadlake.status.followed import read_followed_pairs
from spreadlake.status.heartbeats import Heartbeats
from spreadlake.status.model import (
    AlertReport,
    FileReport,
    FollowedReport,
    LakeReport,
    PairReport,
    ServiceReport,
    SymbolReport,
    TestsBacklog,
)
from spreadlake.status.rules import RuleReport, read_rules
from spreadlake.status.services import (
    look_until_sure,
    never_started,
    read_service,
    service_in,
    status_of,
)
from spreadlake.status.snapshots import LakeSnapshot, snapshot
from spreadlake.status.ticks import last_trade_ms, report_symbols
from spreadlake.status.universe import (
    SymbolChoice,
    UniverseReport,
    read_choices,
    report_universe,
)

__all__ = [
    "AlertReport",
    "BarSpan",
    "FileReport",
    "FollowedReport",
    "Heartbeats",
    "LakeReport",
    "LakeSnapshot",
    "PairReport",
    "RuleReport",
    "ServiceReport",
    "SymbolChoice",
    "SymbolReport",
    "TestsBacklog",
    "UniverseReport",
    "as_copied",
    "bar_span",
    "database_sizes",
    "last_trade_ms",
    "look_until_sure",
    "never_started",
    "read_choices",
    "read_copied",
    "read_followed_pairs",
    "read_latest",
    "read_latest_pairs",
    "read_latest_tests",
    "read_progress",
    "read_rules",
    "read_service",
    "read_tests_backlog",
    "report_on",
    "report_symbols",
    "report_universe",
    "require_lake",
    "service_in",
    "snapshot",
    "status_of",
    "totals_of",
]
