"""Where the pipeline stands, in memory and in the table `progress`."""

import sqlite3
from dataclasses import dataclass


@dataclass
class Position:
    """Where the pipeline stands; `final` is None before the first trade."""

    seq: int = 0
    watermark_ms: int = 0
    final: int | None = None

    @property
    def final_or_start(self) -> int:
        """`final`, or 0 before the first trade: no second is final then."""
        return 0 if self.final is None else self.final


def read_position(db: sqlite3.Connection) -> Position:
    """What is stored."""
    stored = dict(db.execute("SELECT key, value FROM progress").fetchall())
    return Position(stored.get("seq", 0), stored.get("watermark_ms", 0), stored.get("final_time"))


def write_position(db: sqlite3.Connection, position: Position) -> None:
    """Stores it, inside the caller's transaction."""
    values = {
        "seq": position.seq,
        "watermark_ms": position.watermark_ms,
        "final_time": position.final,
    }
    known = [(key, value) for key, value in values.items() if value is not None]
    db.executemany("INSERT OR REPLACE INTO progress VALUES (?, ?)", known)
