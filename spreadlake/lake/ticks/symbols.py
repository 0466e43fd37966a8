"""The rows of `symbols`: what the lake holds of each, in one range of ids less its gaps."""

import sqlite3
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from spreadlake.lake.ticks.gaps import gaps_of
from spreadlake.trades import IdRange

if TYPE_CHECKING:  # numpy takes a while to import, and every report on a lake reads this
    from spreadlake.lake.ticks.id_ranges import HeldIds


class SymbolRow(NamedTuple):
    """The ids held, the greatest trade time (Unix ms), the newest price, and how many trades."""

    symbol: str
    first_id: int
    last_id: int
    last_time_ms: int
    last_price: float
    ticks: int


def read_symbols(db: sqlite3.Connection) -> list[SymbolRow]:
    """All symbols that the lake holds trades of, by name."""
    rows = db.execute(f"SELECT {', '.join(SymbolRow._fields)} FROM symbols ORDER BY symbol")
    return [SymbolRow(*row) for row in rows]


def symbols_with_trades(db: sqlite3.Connection) -> set[str]:
    """Those, and such as have hot rows and were never put on record; a seek for each of them."""
    rows = db.execute(
        "WITH RECURSIVE hot(symbol) AS (SELECT min(symbol) FROM ticks UNION ALL "
        "SELECT (SELECT min(symbol) FROM ticks WHERE symbol > hot.symbol) FROM hot "
        "WHERE hot.symbol IS NOT NULL) SELECT symbol FROM hot WHERE symbol IS NOT NULL"
    ).fetchall()
    return {row.symbol for row in read_symbols(db)} | {symbol for (symbol,) in rows}


def read_symbol(db: sqlite3.Connection, symbol: str) -> SymbolRow | None:
    """One of them; None where the lake holds no trade of it."""
    row = db.execute(
        f"SELECT {', '.join(SymbolRow._fields)} FROM symbols WHERE symbol = ?", (symbol,)
    ).fetchone()
    return SymbolRow(*row) if row else None


def save_symbols(db: sqlite3.Connection, rows: Iterable[SymbolRow]) -> None:
    """Replaces what is on record, inside the caller's transaction.

    But for `ticks`, which is how many trades are new: they are added to those that there were.
    """
    db.executemany(
        "INSERT INTO symbols VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT(symbol) DO UPDATE SET "
        "first_id = excluded.first_id, last_id = excluded.last_id, "
        "last_time_ms = excluded.last_time_ms, last_price = excluded.last_price, "
        "ticks = ticks + excluded.ticks",
        rows,
    )


def newest_trade_ms(db: sqlite3.Connection) -> int | None:
    """The greatest trade time (Unix ms) of all symbols; None in an empty lake."""
    latest: int | None = db.execute("SELECT max(last_time_ms) FROM symbols").fetchone()[0]
    return latest


def first_trade_ms(db: sqlite3.Connection, symbol: str) -> int | None:
    """About when the first trade of a symbol was (Unix ms), of one in Parquet its hour's start.

    None where the lake holds none.
    """
    times = (
        "SELECT time_ms FROM ticks WHERE symbol = ? ORDER BY trade_id LIMIT 1",
        "SELECT min(hour_ms) FROM rolls WHERE symbol = ?",
    )
    found = [row[0] for query in times for row in db.execute(query, (symbol,))]
    return min((time_ms for time_ms in found if time_ms is not None), default=None)


def held_ids(db: sqlite3.Connection, symbol: str) -> "HeldIds | None":
    """The ids of a symbol that the lake says it has; None where it has none."""
    from spreadlake.lake.ticks.id_ranges import HeldIds  # noqa: PLC0415

    row = read_symbol(db, symbol)
    if row is None:
        return None
    gaps = tuple(gap.range for gap in gaps_of(db, symbol))
    return HeldIds(row.first_id, row.last_id, gaps)


def record_empty_ids(db: sqlite3.Connection, symbol: str, ranges: Iterable[IdRange]) -> None:
    """Ids that stand for no trade: whoever compares ids later knows them, and asks for none."""
    db.executemany(
        "INSERT INTO empty_ids VALUES (?, ?, ?) ON CONFLICT(symbol, first_id) DO UPDATE SET "
        "last_id = max(last_id, excluded.last_id)",
        [(symbol, *one) for one in ranges],
    )


def empty_ids(db: sqlite3.Connection, symbol: str, span: IdRange) -> list[IdRange]:
    """Those of them on record that reach into `span`."""
    rows = db.execute(
        "SELECT first_id, last_id FROM empty_ids WHERE symbol = ? AND first_id <= ? "
        "AND last_id >= ?",
        (symbol, span.last, span.first),
    )
    return [IdRange(*row) for row in rows.fetchall()]
