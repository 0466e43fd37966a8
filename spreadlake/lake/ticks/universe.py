"""The rows of `universe`: every symbol that the collector knows of, who is captured, and why.

The collector writes them: what is captured at run time is asked here, by whoever wants to know.
"""

import sqlite3
from collections.abc import Collection, Iterable
from typing import NamedTuple

from spreadlake.lake.databases.meta import has_table, read_meta, write_meta
from spreadlake.lake.databases.status import read_status
from spreadlake.lake.ticks.symbols import read_symbols


class UniverseRow(NamedTuple):
    """A symbol, its place among those captured (None: it is not), and why, in a sentence.

    `status`, `contract` and `quote` are as the exchange calls them, empty where it lists no such
    symbol. `quote_volume` is of the last 24 hours, `rank` (1 is the most) by it among those that
    the rules let compete. Times are Unix ms: `listed_ms` when it first traded or will,
    `delivery_ms` when it is announced to end, `since_ms` when it last came in or went out.
    `trading` is 1 where trades are to be expected at any time, 0 where they are not: it is halted,
    has ended, is not known, or has market hours; None where the exchange has not told.
    """

    symbol: str
    place: int | None
    reason: str
    status: str = ""
    contract: str = ""
    quote: str = ""
    quote_volume: float | None = None
    rank: int | None = None
    listed_ms: int | None = None
    delivery_ms: int | None = None
    since_ms: int | None = None
    trading: int | None = None

    @property
    def captured(self) -> bool:
        """Whether its trades are captured."""
        return self.place is not None


class UniverseLook(NamedTuple):
    """All rows, those captured first in their order, and of when they are.

    `rules` say in words who is chosen; `looked_ms` is when the exchange's list was last read, Unix
    ms, None: never; `trouble` why a later look did not count, empty where none failed.
    """

    rows: list[UniverseRow]
    rules: str = ""
    looked_ms: int | None = None
    trouble: str = ""


class UniverseChange(NamedTuple):
    """A symbol left those that are captured or ended (0), or came back (1).

    `time_ms` is the trade time that had been reached then; `seq` rises.
    """

    seq: int
    symbol: str
    time_ms: int
    captured: int


_COLUMNS = ", ".join(UniverseRow._fields)
_RULES, _LOOKED, _TROUBLE = "universe_rules", "universe_looked_ms", "universe_trouble"


def captured_symbols(db: sqlite3.Connection) -> list[str] | None:
    """The symbols that the collector captures, or last did, in order; None: it never said.

    `db` is any connection to `ticks.db`, of an old lake as well.
    """
    if has_table(db, "universe"):
        rows = db.execute(
            "SELECT symbol FROM universe WHERE place IS NOT NULL ORDER BY place"
        ).fetchall()
        if rows or read_meta(db, _RULES) is not None:
            return [str(symbol) for (symbol,) in rows]
    # Written by the collector of before, and read until this one has begun.
    captured = read_status(db).get("captured", (None, 0))[0]
    return [str(symbol) for symbol in captured] if isinstance(captured, list) else None


def read_universe(db: sqlite3.Connection) -> UniverseLook:
    """Every symbol that is known of; without rows in a lake whose collector never said."""
    if not has_table(db, "universe"):
        return UniverseLook([])
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM universe ORDER BY place IS NULL, place, symbol"
    ).fetchall()
    looked = read_meta(db, _LOOKED)
    return UniverseLook(
        [UniverseRow(*row) for row in rows],
        read_meta(db, _RULES) or "",
        int(looked) if looked else None,
        read_meta(db, _TROUBLE) or "",
    )


def save_universe(
    db: sqlite3.Connection, rows: Iterable[UniverseRow], rules: str, looked_ms: int | None
) -> None:
    """Replaces all rows, inside the caller's transaction; what was wrong before is over."""
    db.execute("DELETE FROM universe")
    marks = ", ".join("?" * len(UniverseRow._fields))
    db.executemany(f"INSERT INTO universe({_COLUMNS}) VALUES ({marks})", rows)
    write_meta(db, _RULES, rules)
    write_meta(db, _LOOKED, "" if looked_ms is None else str(looked_ms))
    write_meta(db, _TROUBLE, "")


def away_symbols(db: sqlite3.Connection) -> set[str]:
    """The symbols that left, and did not come back."""
    rows = db.execute(
        "SELECT symbol, captured FROM universe_changes "
        "WHERE seq IN (SELECT max(seq) FROM universe_changes GROUP BY symbol)"
    ).fetchall()
    return {symbol for symbol, captured in rows if not captured}


def note_changes(
    db: sqlite3.Connection, present: Collection[str], away: Collection[str], time_ms: int
) -> set[str]:
    """Records who of those with trades is not `present` any more, or again; who is away then.

    `away` are those who were until now, `time_ms` is the trade time reached. Inside the caller's
    transaction.
    """
    stored = [row.symbol for row in read_symbols(db)]
    now = {symbol for symbol in stored if symbol not in present}
    changes = [(s, time_ms, int(s not in now)) for s in stored if (s in now) != (s in away)]
    db.executemany(
        "INSERT INTO universe_changes(symbol, time_ms, captured) VALUES (?, ?, ?)", changes
    )
    return now


def universe_changes(db: sqlite3.Connection, after: int) -> list[UniverseChange]:
    """The changes since the one with seq `after`, in order; all where the record begins anew."""
    if not has_table(db, "universe_changes"):
        return []
    (newest,) = db.execute("SELECT ifnull(max(seq), 0) FROM universe_changes").fetchone()
    if newest == after:
        return []
    rows = db.execute(
        "SELECT seq, symbol, time_ms, captured FROM universe_changes WHERE seq > ? ORDER BY seq",
        (after if after < newest else 0,),
    ).fetchall()
    return [UniverseChange(*row) for row in rows]


def save_trouble(db: sqlite3.Connection, trouble: str) -> None:
    """Notes why a look did not count, inside the caller's transaction; the rows stay."""
    write_meta(db, _TROUBLE, trouble)
