"""Where the pipeline stands, in memory and in the table `progress`."""

import sqlite3
from dataclasses import dataclass


@dataclass
class Progress:
    """Where the pipeline stands; `final` is None before the first trade."""

    seq: int = 0
    watermark_ms: int = 0
    final: int | None = None

    @property
    def final_or_start(self) -> int:
        """`final`, or 0 before the first trade: no second is final then."""
        return 0 if self.final is None else self.final


def read_progress(db: sqlite3.Connection) -> Progress:
    """What is stored."""
    stored = dict(db.execute("SELECT key, value FROM progress").fetchall())
    return Progress(stored.get("seq", 0), stored.get("watermark_ms", 0), stored.get("final_time"))


def write_progress(db: sqlite3.Connection, progress: Progress) -> None:
    """Stores it, inside the caller's transaction."""
    values = {
        "seq": progress.seq,
        "watermark_ms": progress.watermark_ms,
        "final_time": progress.final,
    }
    known = [(key, value) for key, value in values.items() if value is not None]
    db.executemany("INSERT OR REPLACE INTO progress VALUES (?, ?)", known)
