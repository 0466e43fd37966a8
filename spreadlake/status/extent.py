"""How much a lake holds, and how far it reaches: rows, bars, bytes."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from spreadlake.errors import LakeError
from spreadlake.lake import Lake
from spreadlake.lake.sizes import parquet_bytes
from spreadlake.status.model import FileReport
from spreadlake.status.snapshots import snapshot
from spreadlake.status.ticks import report_symbols
from spreadlake.times import timeframe_seconds

# The inner max(time) is one seek at the end of each symbol's range of keys.
_SPANS = """
SELECT timeframe, min(time), max((
  SELECT max(time) FROM bars
  WHERE bars.symbol = first_bars.symbol AND bars.timeframe = first_bars.timeframe))
FROM first_bars GROUP BY timeframe
"""


class BarSpan(NamedTuple):
    """The bars of the shortest timeframe: its length, the open of the first, the end of the last.

    All in seconds, Unix time.
    """

    length: int
    first: int
    end: int


def bar_span(lake: Lake) -> BarSpan | None:
    """How far the bars of `lake` reach, which is what there is to draw; None where it has none."""
    with snapshot(lake.analytics_db) as db:
        rows = [] if db is None else db.execute(_SPANS).fetchall()
    spans = [
        BarSpan(length, first, last + length)
        for length, first, last in ((timeframe_seconds(t), *rest) for t, *rest in rows)
        if last is not None
    ]
    return min(spans, default=None)


@dataclass(frozen=True)
class Totals:
    """Trades by symbol, bars by timeframe, rows of pair analytics, alert events."""

    ticks: dict[str, int]
    bars: dict[str, int]
    rows: int
    events: int


def totals_of(lake: Lake) -> Totals:
    """The totals of `lake`, zeros where nothing is there yet."""
    with snapshot(lake.ticks_db) as db:
        ticks = {} if db is None else {s.symbol: s.ticks for s in report_symbols(db)}
    with snapshot(lake.analytics_db) as db:
        if db is None:
            return Totals(ticks, {}, 0, 0)
        counts = db.execute("SELECT timeframe, count(*) FROM bars GROUP BY 1").fetchall()
        bars = dict(sorted(counts, key=lambda row: timeframe_seconds(row[0])))
        rows = db.execute("SELECT count(*) FROM pair_analytics").fetchone()[0]
        events = db.execute("SELECT count(*) FROM alert_events").fetchone()[0]
    return Totals(ticks, bars, rows, events)


def sizes_of(lake: Lake) -> list[FileReport]:
    """The databases with their write-ahead logs, and the folder of Parquet partitions."""
    sizes = database_sizes(lake)
    if lake.ticks_dir.is_dir():
        sizes.append(FileReport(f"{lake.ticks_dir.name}/", parquet_bytes(lake.ticks_dir)))
    return sizes


def database_sizes(lake: Lake) -> list[FileReport]:
    """The databases and their write-ahead logs, those that are there."""
    sizes = {
        path.name: _size(path)
        for db in (lake.ticks_db, lake.analytics_db)
        for path in (db, db.with_name(f"{db.name}-wal"))
    }
    return [FileReport(name, size) for name, size in sizes.items() if size is not None]


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return None


def require_lake(lake: Lake) -> None:
    """Raises LakeError where neither of the databases is there; it names the demo's lake."""
    if lake.ticks_db.exists() or lake.analytics_db.exists():
        return
    message = f"no lake in {lake.root}: choose its folder with --data, or start spreadlake on it"
    demo = Lake(lake.root / "demo")
    if demo.ticks_db.exists():
        message += f" (the demo's is there: --data {demo.root})"
    raise LakeError(message)
