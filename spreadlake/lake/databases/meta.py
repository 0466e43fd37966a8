"""What is written down once for a whole database: texts in its table `meta`, by their key."""

import sqlite3


def read_meta(db: sqlite3.Connection, key: str) -> str | None:
    """The text by a key; None where there is none."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else str(row[0])


def write_meta(db: sqlite3.Connection, key: str, value: str) -> None:
    """Replaces the text by a key, inside the caller's transaction."""
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
