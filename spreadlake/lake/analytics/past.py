"""Whether the past of a series has changed: for whoever has read it, and follows what is new."""

import sqlite3

from spreadlake.series import SeriesKey

# Bars of hours that are yet to be read, and rows that are yet to be computed of bars that changed.
_DUE = (
    ("hours_due", "SELECT count(*), total(from_ms) FROM hours_due WHERE symbol IN (?, ?)"),
    (
        "rows_due",
        'SELECT count(*), total("end" - "start") FROM rows_due '
        "WHERE timeframe = ? AND name IN (?, ?, ?, '')",  # those of a symbol, or of every pair
    ),
)


def past_version(db: sqlite3.Connection, key: SeriesKey, first: int) -> str:
    """Another text once bars or rows of before may be others than they were.

    They are where trades came late, where history comes in, and where rows are computed again;
    `first` is the time (s) of the first bar of both legs.
    """
    late = db.execute("SELECT value FROM counters WHERE name = 'late_trades'").fetchone()
    known = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    values = {"hours_due": tuple(key.legs), "rows_due": (key.timeframe, key.pair, *key.legs)}
    due = [
        f"{count}-{extent:.0f}"
        for table, query in _DUE
        if table in known
        for count, extent in db.execute(query, values[table])
    ]
    return ":".join([f"{late[0] if late else 0:.0f}", str(first), *due])
