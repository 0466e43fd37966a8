"""Up to when the trades of a lake are in object storage, and a record of them that ends there.

`db` is a copy of `ticks.db` that may be changed, with the record of objects attached as `cold`.
"""

import sqlite3
from collections.abc import Iterator

import polars as pl

from spreadlake.errors import LakeError
from spreadlake.lake.files import local_names
from spreadlake.lake.layout import DAY_FILE, Lake, day_of
from spreadlake.lake.reading import ask
from spreadlake.lake.ticks.hot import hot_span
from spreadlake.lake.ticks.rolls import RolledHour
from spreadlake.lake.ticks.symbols import read_symbols
from spreadlake.times import iso_utc

LEFT_OUT = ("ticks", "klines", "compacting", "service_status")
"""Tables of which a copy for readers of object storage has no rows."""

_DAY_OBJECT = (
    "SELECT 1 FROM cold.objects WHERE path = 'ticks/symbol=' || r.symbol || '/date=' || "
    f"strftime('%Y-%m-%d', r.hour_ms / 1000, 'unixepoch') || '/{DAY_FILE}'"
)
_NOT_IN_DAYS = (
    "SELECT symbol, hour_ms, rows, day_rows FROM rolls AS r "
    f"WHERE rows > day_rows OR NOT EXISTS ({_DAY_OBJECT}) ORDER BY hour_ms"
)


def first_hot_ms(db: sqlite3.Connection) -> int | None:
    """The start (ms) of the first UTC day of which trades are in SQLite; None where none are."""
    low, _ = hot_span(db)
    return None if low is None else day_of(low)


def first_left_ms(db: sqlite3.Connection, lake: Lake) -> int | None:
    """The start (ms) of the first UTC day of which trades are in files of the disk alone."""
    for hour in map(RolledHour._make, db.execute(_NOT_IN_DAYS)):
        if not _in_bucket(db, lake, hour) and _on_disk(lake, hour):
            return day_of(hour.hour_ms)
    return None


def end_trades_at(db: sqlite3.Connection, lake: Lake, end_ms: int) -> None:
    """Forgets what is on record of trades from the midnight `end_ms` on."""
    db.execute("DELETE FROM rolls WHERE hour_ms >= ?", (end_ms,))
    db.execute(
        "DELETE FROM cold.objects WHERE path GLOB 'ticks/*' "
        "AND substr(path, instr(path, '/date=') + 6, 10) >= ?",
        (iso_utc(end_ms // 1000)[:10],),
    )
    db.execute(
        "DELETE FROM symbols WHERE symbol NOT IN (SELECT symbol FROM rolls) "
        "AND symbol NOT IN (SELECT symbol FROM removed)"
    )
    db.execute(
        "UPDATE symbols SET ticks = "
        "(SELECT ifnull(sum(rows), 0) FROM rolls WHERE rolls.symbol = symbols.symbol) + "
        "(SELECT ifnull(sum(rows), 0) FROM removed WHERE removed.symbol = symbols.symbol)"
    )
    last = [(*found, symbol) for symbol, *found in _last_trades(db, lake, end_ms)]
    db.executemany(
        "UPDATE symbols SET last_id = ?, last_time_ms = ?, last_price = ? WHERE symbol = ?", last
    )
    db.execute(
        "DELETE FROM gaps WHERE first_id > "
        "(SELECT last_id FROM symbols WHERE symbols.symbol = gaps.symbol)"
    )


def _last_trades(
    db: sqlite3.Connection, lake: Lake, end_ms: int
) -> Iterator[tuple[str, int, int, float]]:
    """(symbol, id, ms, price) of the last trade of the last file, where there are later ones."""
    wanted = ("trade_id", "time_ms", "price")
    for row in read_symbols(db):
        if row.last_time_ms < end_ms:
            continue
        begin = f"ticks/symbol={row.symbol}/"
        (path,) = db.execute(
            "SELECT max(path) FROM cold.objects WHERE path > ? AND path < ?",
            (begin, f"{begin[:-1]}0"),
        ).fetchone()
        try:
            last = ask(lake, lake.root / path, lambda file: file.select(wanted).tail(1).collect())
        except (LakeError, TypeError):  # not to be read now, or none is there: about when
            yield row.symbol, row.last_id, end_ms - 1, row.last_price
            continue
        yield (row.symbol, *last.cast(pl.Schema(_TYPES)).row(0))


_TYPES = {"trade_id": pl.Int64(), "time_ms": pl.Int64(), "price": pl.Float64()}


def _in_bucket(db: sqlite3.Connection, lake: Lake, hour: RolledHour) -> bool:
    own, day = (
        db.execute(
            "SELECT 1 FROM cold.objects WHERE path = ?",
            (path.relative_to(lake.root).as_posix(),),
        ).fetchone()
        is not None
        for path in (
            lake.tick_partition(hour.symbol, hour.hour_ms),
            lake.tick_day(hour.symbol, hour.hour_ms),
        )
    )
    return hour.is_there(own, day)


def _on_disk(lake: Lake, hour: RolledHour) -> bool:
    own = lake.tick_partition(hour.symbol, hour.hour_ms)
    names = local_names(own.parent)
    return own.name in names or DAY_FILE in names
