"""Where the pipeline stands, in memory and in the table `progress`."""

import sqlite3
from dataclasses import dataclass


@dataclass
class Position:
    """Where the pipeline stands; `final` is None before the first trade and the first kline.

    `klines_end`: up to this second klines have made everything final.
    """

    seq: int = 0
    watermark_ms: int = 0
    final: int | None = None
    klines_end: int = 0

    @property
    def final_or_start(self) -> int:
        """`final`, or 0 where there is none: no second is final then."""
        return 0 if self.final is None else self.final


def read_position(db: sqlite3.Connection) -> Position:
    """What is stored."""
    stored = dict(db.execute("SELECT key, value FROM progress").fetchall())
    return Position(
        stored.get("seq", 0),
        stored.get("watermark_ms", 0),
        stored.get("final_time"),
        stored.get("klines_end", 0),
    )


def write_position(db: sqlite3.Connection, position: Position) -> None:
    """Stores it, inside the caller's transaction."""
    values = {
        "seq": position.seq,
        "watermark_ms": position.watermark_ms,
        "final_time": position.final,
        "klines_end": position.klines_end or None,
    }
    known = [(key, value) for key, value in values.items() if value is not None]
    db.executemany("INSERT OR REPLACE INTO progress VALUES (?, ?)", known)
