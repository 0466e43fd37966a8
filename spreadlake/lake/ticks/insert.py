"""Inserts trades many rows to a statement.

Python gives up its lock around every statement and then has to wait for it while the event loop
is busy, up to 5 ms each time. A thousand rows to a statement make that wait small, and let SQLite
work beside the event loop.
"""

import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain

from msgspec import Struct
from msgspec.structs import astuple

from spreadlake.trades import TICK_COLUMNS

# Largest first; together they hold any number of rows in few statements, all of them cached.
_ROWS = (1000, 100, 10, 1)
# An event's fields begin with those of TICK_COLUMNS; what follows is not stored.
_STORED = len(TICK_COLUMNS)


def insert_trades(db: sqlite3.Connection, events: Sequence[Struct], seq: int) -> int:
    """Inserts trade events under seq, seq + 1, …; returns how many were not there before.

    They are all of one type.
    """
    before = db.total_changes
    start = 0
    for rows in _ROWS:
        while len(events) - start >= rows:
            part = events[start : start + rows]
            fields = len(part[0].__struct_fields__)
            values = [seq + start, *chain.from_iterable(map(astuple, part))]
            db.execute(_statement(rows, fields), values[: len(values) - fields + _STORED])
            start += rows
    return db.total_changes - before


@cache
def _statement(rows: int, fields: int) -> str:
    lines = (_row(row, fields) for row in range(rows))
    names = ", ".join(("seq", *TICK_COLUMNS))
    return f"INSERT OR IGNORE INTO ticks({names}) VALUES {', '.join(lines)}"


def _row(row: int, fields: int) -> str:
    used = range(2 + row * fields, 2 + row * fields + _STORED)
    return f"(?1+{row}, {', '.join(f'?{n}' for n in used)})"
