"""What a lake tells about itself, read from its databases only."""

from spreadlake.report.analytics import read_latest_pairs, read_open_alerts, read_progress
from spreadlake.report.build import database_sizes, report_on, sizes_of
from spreadlake.report.model import (
    AlertReport,
    FileReport,
    GapReport,
    LakeReport,
    PairReport,
    ServiceReport,
    SymbolReport,
)
from spreadlake.report.services import never_started, read_service
from spreadlake.report.snapshot import snapshot
from spreadlake.report.ticks import newest_seq, read_identity, read_symbols

__all__ = [
    "AlertReport",
    "FileReport",
    "GapReport",
    "LakeReport",
    "PairReport",
    "ServiceReport",
    "SymbolReport",
    "database_sizes",
    "never_started",
    "newest_seq",
    "read_identity",
    "read_latest_pairs",
    "read_open_alerts",
    "read_progress",
    "read_service",
    "read_symbols",
    "report_on",
    "sizes_of",
    "snapshot",
]
