"""Reads one series of pair analytics in pieces, so that memory holds one piece."""

import sqlite3
from collections.abc import Iterator
from typing import Any

from spreadlake.errors import InputError
from spreadlake.lake import Lake
from spreadlake.status.choose import SeriesKey
from spreadlake.status.snapshots import snapshot

_PIECE = 5_000
_FIRST = ("time", "price_a", "price_b", "spread", "zscore")
_NOT_SHOWN = ("pair", "timeframe", "window_bars", "lookback_bars", "symbol_a", "symbol_b")
_KEY = "pair, timeframe, window_bars, lookback_bars"


def available_series(lake: Lake) -> list[SeriesKey]:
    """The series that are configured or have rows; one seek for each, whatever its length."""
    with snapshot(lake.analytics_db) as db:
        if db is None:
            return []
        keys = {SeriesKey(*row) for row in db.execute(f"SELECT {_KEY} FROM pair_status")}
        return sorted(keys | set(_stored_series(db)))


def _stored_series(db: sqlite3.Connection) -> Iterator[SeriesKey]:
    key = SeriesKey("", "", 0, 0)
    following = (
        f"SELECT {_KEY} FROM pair_analytics WHERE ({_KEY}) > (?, ?, ?, ?) ORDER BY {_KEY} LIMIT 1"
    )
    while (row := db.execute(following, key).fetchone()) is not None:
        key = SeriesKey(*row)
        yield key


def column_names(lake: Lake) -> list[str]:
    """`time,price_a,price_b,spread,zscore`, then the other analytics in the table's order."""
    with snapshot(lake.analytics_db) as db:
        if db is None:
            raise InputError(
                f"lake {lake.root} has no analytics yet; run spreadlake analyse --once on it"
            )
        stored = [row[1] for row in db.execute("PRAGMA table_info(pair_analytics)")]
    return [*_FIRST, *(name for name in stored if name not in (*_FIRST, *_NOT_SHOWN))]


def iter_rows(
    lake: Lake, key: SeriesKey, columns: list[str], start: float | None, end: float | None
) -> Iterator[list[tuple[Any, ...]]]:
    """Pieces of rows with start <= time <= end (Unix seconds), in order of time.

    `columns` begins with `time`. Rows that were rolled to Parquet are read from there, a file at
    a time. Each piece is a short transaction of its own, so that a long export does not keep the
    job's write-ahead log from being taken back.
    """
    query = (
        f"SELECT {', '.join(columns)} FROM pair_analytics WHERE pair = ? AND timeframe = ? "
        "AND window_bars = ? AND lookback_bars = ? AND time > ? AND time <= ? "
        f"ORDER BY time LIMIT {_PIECE}"
    )
    after = -1.0 if start is None else _before(start)
    last = 1e12 if end is None else end
    while True:
        with snapshot(lake.analytics_db) as db:
            if db is None:
                return
            archived = min(_archived_until(db, key), last + 1)
            if after + 1 < archived:
                piece, after = _archived_piece(db, lake, key, columns, after + 1, archived)
            else:
                piece = db.execute(query, (*key, after, last)).fetchall()
                if not piece:
                    return
                after = piece[-1][0]
        if piece:
            yield piece


def _archived_until(db: sqlite3.Connection, key: SeriesKey) -> int:
    """Rows before this time may be in Parquet; in one snapshot with the rows that are not."""
    row = db.execute(
        "SELECT value FROM progress WHERE key = ?", (f"archived:{key.timeframe}",)
    ).fetchone()
    return 0 if row is None else int(row[0])


def _archived_piece(
    db: sqlite3.Connection, lake: Lake, key: SeriesKey, columns: list[str], start: float, end: float
) -> tuple[list[tuple[Any, ...]], float]:
    """The rows of the next archived piece from `start` on, and the last second that it covers."""
    from spreadlake.lake.archive import next_piece, read_rows  # noqa: PLC0415 polars is slow

    names = ("pair", "timeframe", "window_bars", "lookback_bars")
    named: list[tuple[str, object]] = list(zip(names, key, strict=True))
    span = next_piece(db, lake, "pair_analytics", named, int(start), int(end))
    if span is None:
        return [], end - 1
    frame = read_rows(db, lake, "pair_analytics", named, *span)
    return frame.select(columns).rows(), span[1] - 1


def _before(start: float) -> float:
    # Bar times are whole seconds.
    return -(-start // 1) - 1
