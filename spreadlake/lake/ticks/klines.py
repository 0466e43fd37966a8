"""The rows of `klines`: the exchange's own bars, of the time before a symbol's first trade."""

import sqlite3
from collections.abc import Sequence

from spreadlake.lake.databases.status import add_counters

KLINE_COLUMNS = (
    "symbol", "timeframe", "time", "open", "high", "low", "close", "volume", "quote_volume",
    "taker_buy_volume", "trades",
)  # fmt: skip
_NAMES = ", ".join(KLINE_COLUMNS)

# Each symbol once, by a seek each.
_SYMBOLS = """WITH RECURSIVE known(symbol) AS (
  SELECT MIN(symbol) FROM klines UNION ALL
  SELECT (SELECT MIN(symbol) FROM klines WHERE symbol > known.symbol) FROM known
  WHERE known.symbol IS NOT NULL)
SELECT symbol FROM known WHERE symbol IS NOT NULL"""


def save_klines(db: sqlite3.Connection, symbol: str, rows: Sequence[Sequence[object]]) -> None:
    """Stores klines of one symbol (KLINE_COLUMNS); those that are there are replaced.

    Inside the caller's transaction. Whoever has made bars of a symbol's klines looks at them again
    when their counter has risen: so it counts those that are replaced as well.
    """
    db.executemany(
        f"INSERT OR REPLACE INTO klines VALUES ({', '.join('?' * len(KLINE_COLUMNS))})", rows
    )
    if rows:
        add_counters(db, {("klines", symbol): len(rows)})


def read_klines(
    db: sqlite3.Connection, symbol: str, timeframe: str, first: int = 0, last: int = 2**62
) -> list[tuple[object, ...]]:
    """The klines of one symbol with first <= time <= last, as KLINE_COLUMNS, in order of time."""
    return db.execute(
        f"SELECT {_NAMES} FROM klines WHERE symbol = ? AND timeframe = ? "
        "AND time BETWEEN ? AND ? ORDER BY time",
        (symbol, timeframe, first, last),
    ).fetchall()


def kline_symbols(db: sqlite3.Connection) -> list[str]:
    """The symbols that have klines."""
    return [symbol for (symbol,) in db.execute(_SYMBOLS)]


def kline_days(db: sqlite3.Connection) -> list[tuple[str, int]]:
    """(symbol, days since 1970) that have klines."""
    return db.execute("SELECT DISTINCT symbol, time / 86400 FROM klines").fetchall()


def waiting_klines(db: sqlite3.Connection) -> list[str]:
    """Symbols that have klines and no trade yet: the job can make no bars of these."""
    rows = db.execute(
        "SELECT DISTINCT symbol FROM klines EXCEPT SELECT symbol FROM symbols ORDER BY 1"
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
