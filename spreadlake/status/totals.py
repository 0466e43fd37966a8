"""How much a lake holds, counted row by row: for the end of a command, not for a screen."""

from dataclasses import dataclass

from spreadlake.lake import Lake
from spreadlake.status.snapshots import snapshot
from spreadlake.status.ticks import read_symbols
from spreadlake.times import timeframe_seconds


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
        ticks = {} if db is None else {s.symbol: s.ticks for s in read_symbols(db)}
    with snapshot(lake.analytics_db) as db:
        if db is None:
            return Totals(ticks, {}, 0, 0)
        counts = db.execute("SELECT timeframe, count(*) FROM bars GROUP BY 1").fetchall()
        bars = dict(sorted(counts, key=lambda row: timeframe_seconds(row[0])))
        rows = db.execute("SELECT count(*) FROM pair_analytics").fetchone()[0]
        events = db.execute("SELECT count(*) FROM alert_events").fetchone()[0]
    return Totals(ticks, bars, rows, events)
