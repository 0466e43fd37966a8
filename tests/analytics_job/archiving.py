"""A lake whose analytics roll to Parquet after an hour, and what every reader finds in it."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

from analytics_job.job import AnalyticsJob
from launcher.commands.series import column_names, iter_rows
from spreadlake.lake import open_reader
from spreadlake.lake.analytics.rows import read_frame
from spreadlake.series import BarKey, SeriesKey, StationarityKey
from tests.analytics_job import harness
from tests.trades import Trade

EPOCH_MS = 1_699_999_200_000  # a whole hour
HOURS = 5
SERIES = SeriesKey("AUSDT/BUSDT", "1s", 30, 60)
CONFIG: dict[str, Any] = {
    "symbols": ["AUSDT", "BUSDT"],
    "timeframes": ["1s", "1m"],
    "windows": [30],
    "lookbacks": [60],
    "job": {"tests_interval": 300},
    "alerts": [
        {"name": "z", "window": 30, "threshold": 1.5, "min_bars": 2},
        {"name": "gated", "window": 30, "threshold": 1.5, "max_adf_pvalue": 0.52},
    ],
}


def trades() -> list[Trade]:
    """Two symbols, a trade each in 20 s, for HOURS."""
    every = []
    for k in range(HOURS * 3600 // 20):
        for n, symbol in enumerate(("AUSDT", "BUSDT")):
            price = 100.0 + n + (k * 7919 * (n + 1)) % 101 / 50
            every.append(
                Trade(symbol, k + 1, EPOCH_MS + k * 20_000 + n * 500, price, 1.0, k % 2 == 0)
            )
    return every


def merged(lake: harness.TestLake) -> dict[str, Any]:
    """What every reader finds in a lake, hot and cold as one."""
    with closing(open_reader(lake.lake.analytics_db)) as db:
        return {
            "bars": [
                read_frame(db, lake.lake, BarKey(s, "1s"), 0, 2**40).rows()
                for s in ("AUSDT", "BUSDT")
            ],
            "rows": read_frame(db, lake.lake, SERIES, 0, 2**40).rows(),
            "tests": [
                read_frame(db, lake.lake, StationarityKey("AUSDT/BUSDT", t, 60), 0, 2**40).rows()
                for t in ("1s", "1m")
            ],
            "events": db.execute("SELECT * FROM alert_events ORDER BY opened_at").fetchall(),
            "csv": [row for piece in _csv_pieces(lake) for row in piece],
            "status": db.execute("SELECT * FROM pair_status").fetchall(),
        }


def _csv_pieces(lake: harness.TestLake) -> Iterator[list[tuple[Any, ...]]]:
    start, end = EPOCH_MS / 1000 + 100.5, EPOCH_MS / 1000 + 4 * 3600
    return iter_rows(lake.lake, SERIES, column_names(lake.lake), start, end)


def roll(job: AnalyticsJob) -> None:
    """Everything that is old enough."""
    job._retention._next_look_ms = 0
    while job.roll_piece():
        pass
