"""The rows of `klines`: the exchange's own bars, of times that a symbol has no trades of."""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from spreadlake.lake.databases.meta import has_table
from spreadlake.lake.databases.status import add_counters

KLINE_COLUMNS = (
    "symbol", "timeframe", "time", "open", "high", "low", "close", "volume", "quote_volume",
    "taker_buy_volume", "trades",
)  # fmt: skip
_NAMES = ", ".join(KLINE_COLUMNS)

_INDEX = KLINE_COLUMNS.index("time")
# As the table was begun in a lake of before that its collector has not opened since.
_CHANGES_OF_BEFORE = """SELECT row_number() OVER (ORDER BY symbol) AS seq, symbol, first, last FROM
  (SELECT symbol, min(time) AS first, max(time) AS last FROM klines WHERE timeframe = '1m'
   GROUP BY symbol)"""


class KlineChange(NamedTuple):
    """Klines of a symbol that open from `first` to `last` (s) were stored, or stored again."""

    seq: int
    symbol: str
    first: int
    last: int


class KlineExtent(NamedTuple):
    """Of how many symbols there are klines, and of which time [first, end) in seconds."""

    symbols: int
    first: int
    end: int


def save_klines(db: sqlite3.Connection, symbol: str, rows: Sequence[Sequence[object]]) -> None:
    """Stores klines of one symbol (KLINE_COLUMNS); those that are there are replaced.

    Inside the caller's transaction. Whoever has made bars of them finds by `kline_changes` what to
    look at again, be it new or replaced.
    """
    db.executemany(
        f"INSERT OR REPLACE INTO klines VALUES ({', '.join('?' * len(KLINE_COLUMNS))})", rows
    )
    if rows:
        times = [int(str(row[_INDEX])) for row in rows]
        record_kline_change(db, symbol, min(times), max(times))
        add_counters(db, {("klines", symbol): len(rows)})


def record_kline_change(db: sqlite3.Connection, symbol: str, first: int, last: int) -> None:
    """Klines of these times were stored; inside the caller's transaction."""
    db.execute(
        "INSERT INTO kline_changes(symbol, first, last) VALUES (?, ?, ?)", (symbol, first, last)
    )


def kline_changes(db: sqlite3.Connection, after: int, most: int = -1) -> list[KlineChange]:
    """What was stored of klines since the change `after`, in that order."""
    rows = db.execute(
        f"SELECT seq, symbol, first, last FROM {_changes(db)} WHERE seq > ? ORDER BY seq LIMIT ?",
        (after, most),
    )
    return [KlineChange(*row) for row in rows.fetchall()]


def newest_kline_change(db: sqlite3.Connection) -> int:
    """The `seq` of the last change; 0 where there are no klines."""
    return int(db.execute(f"SELECT ifnull(max(seq), 0) FROM {_changes(db)}").fetchone()[0])


def kline_extent(db: sqlite3.Connection) -> KlineExtent | None:
    """How far klines reach; None where there are none."""
    symbols, first, last = db.execute(
        f"SELECT count(DISTINCT symbol), min(first), max(last) FROM {_changes(db)}"
    ).fetchone()
    return KlineExtent(symbols, first, last + 60) if symbols else None


def _changes(db: sqlite3.Connection) -> str:
    return "kline_changes" if has_table(db, "kline_changes") else f"({_CHANGES_OF_BEFORE})"


def read_klines(
    db: sqlite3.Connection, symbol: str, timeframe: str, first: int = 0, last: int = 2**62
) -> list[tuple[object, ...]]:
    """The klines of one symbol with first <= time <= last, as KLINE_COLUMNS, in order of time."""
    return db.execute(
        f"SELECT {_NAMES} FROM klines WHERE symbol = ? AND timeframe = ? "
        "AND time BETWEEN ? AND ? ORDER BY time",
        (symbol, timeframe, first, last),
    ).fetchall()


def symbols_with_klines(db: sqlite3.Connection, before: int) -> list[str]:
    """Symbols with 1m klines in SQLite that open before a second."""
    rows = db.execute(
        "SELECT DISTINCT symbol FROM klines WHERE timeframe = '1m' AND time < ? ORDER BY symbol",
        (before,),
    )
    return [symbol for (symbol,) in rows.fetchall()]


def delete_klines(db: sqlite3.Connection, symbol: str, before: int) -> None:
    """Deletes the 1m klines of a symbol that open before a second, once files hold them.

    Inside the caller's transaction. That they were stored stays on record: it says what there is.
    """
    db.execute(
        "DELETE FROM klines WHERE symbol = ? AND timeframe = '1m' AND time < ?", (symbol, before)
    )


def symbols_of_klines_alone(db: sqlite3.Connection) -> list[str]:
    """Symbols that have klines and no trade: they have no bars that are shorter than a minute."""
    rows = db.execute(
        f"SELECT DISTINCT symbol FROM {_changes(db)} EXCEPT SELECT symbol FROM symbols ORDER BY 1"
    )
    return [symbol for (symbol,) in rows]


def traded_of_late(db: sqlite3.Connection, span_s: int) -> list[tuple[str, float, int]]:
    """(symbol, quote volume, trades) of the last `span_s` seconds of each symbol's 1m klines."""
    return db.execute(
        """
        SELECT klines.symbol, sum(quote_volume), sum(trades) FROM klines
        JOIN (SELECT symbol, max(time) AS newest FROM klines WHERE timeframe = '1m' GROUP BY symbol)
          AS ends ON ends.symbol = klines.symbol
        WHERE timeframe = '1m' AND time > newest - ? GROUP BY klines.symbol
        """,
        (span_s,),
    ).fetchall()
