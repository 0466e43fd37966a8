"""What a lake holds after an import, read back through connections of its own."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from importer import Imported, import_dumps
from spreadlake.lake import Lake, atomic, claim, open_reader, open_ticks_writer, read_trades
from spreadlake.lake.ticks.kline_files import klines_between
from spreadlake.lake.ticks.klines import save_klines
from tests.importer.dumps import DAY, MIDNIGHT
from tests.trades import TICKS, Trade

FAR = 400 * DAY


def import_all(root: Path, *paths: Path) -> list[Imported]:
    return list(import_dumps(Lake(root), paths, lambda _dump, _doing: lambda _bytes: None))


def held(root: Path, *symbols: str) -> list[Trade]:
    """All trades, hot and cold, by symbol, time and id."""
    frame = read_trades(Lake(root), MIDNIGHT - FAR, MIDNIGHT + FAR, symbols or None)
    return [Trade(*values) for values in frame.rows()]


def klines(root: Path, symbol: str = "BTCUSDT") -> list[tuple[Any, ...]]:
    """The klines of a symbol, hot and cold, in order of time."""
    with closing(open_reader(Lake(root).ticks_db)) as db:
        return klines_between(db, Lake(root), symbol, 0, 2**33).rows()


def partitions(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*.parquet"))


def row(root: Path, query: str) -> Sequence[object]:
    with closing(open_reader(Lake(root).ticks_db)) as db:
        found: Sequence[object] = db.execute(query).fetchone()
    return found


def rolls(root: Path) -> list[Any]:
    """(symbol, hour, rows, max_seq) in the order in which the job takes them in."""
    return rows(root, "SELECT symbol, hour_ms, rows, max_seq FROM rolls ORDER BY max_seq")


def gaps(root: Path) -> list[Any]:
    """(first, last, state, cause) by id."""
    return rows(root, "SELECT first_id, last_id, state, cause FROM gaps ORDER BY first_id")


def store_hot(root: Path, trades: Sequence[Trade], first_seq: int = 1) -> None:
    """Trades as the collector leaves them in SQLite; they are all of their symbol so far."""
    with closing(open_ticks_writer(Lake(root))) as db:
        claim(db, Lake(root), "aggTrade", "exchange")
        with atomic(db):
            db.executemany(
                f"INSERT INTO {TICKS} VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(first_seq + n, *trade) for n, trade in enumerate(trades)],
            )
            _count(db, trades)


def store_hot_klines(root: Path, rows: Sequence[Sequence[object]]) -> None:
    """Klines of a symbol as the collector leaves them in SQLite."""
    with closing(open_ticks_writer(Lake(root))) as db:
        claim(db, Lake(root), "aggTrade", "exchange")
        with atomic(db):
            save_klines(db, str(rows[0][0]), rows)


def _count(db: sqlite3.Connection, trades: Sequence[Trade]) -> None:
    first, last = trades[0], trades[-1]
    db.execute(
        "INSERT INTO symbols VALUES (?, ?, ?, ?, ?, ?)",
        (last.symbol, first.trade_id, last.trade_id, last.time_ms, last.price, len(trades)),
    )


def rows(root: Path, query: str) -> list[Any]:
    """All rows of a query on `ticks.db`."""
    with closing(open_reader(Lake(root).ticks_db)) as db:
        return db.execute(query).fetchall()
