"""What is there once for a whole database: its tables, their columns, and texts in `meta`."""

import sqlite3


def has_table(db: sqlite3.Connection, name: str) -> bool:
    """Whether there is one; not in a lake of before that its writer has not opened since."""
    query = "SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND name = ?"
    return db.execute(query, (name,)).fetchone() is not None


def columns_of(db: sqlite3.Connection, table: str) -> list[str]:
    """Names of its columns, in their order; a lake of before may have fewer, or no such table."""
    return [row[1] for row in db.execute(f"PRAGMA main.table_info({table})")]


def read_meta(db: sqlite3.Connection, key: str) -> str | None:
    """The text by a key; None where there is none."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else str(row[0])


def write_meta(db: sqlite3.Connection, key: str, value: str) -> None:
    """Replaces the text by a key, inside the caller's transaction."""
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
