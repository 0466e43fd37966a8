"""Counters and status lines that a service leaves in its own database for the others to read."""

import json
import sqlite3
from collections.abc import Mapping
from typing import Any


def add_counters(db: sqlite3.Connection, increments: Mapping[tuple[str, str], float]) -> None:
    """Adds to counters keyed by (name, symbol); symbol is "" where there is none.

    Runs inside the caller's transaction, so that a counter and what it counts commit together.
    """
    db.executemany(
        "INSERT INTO counters(name, symbol, value) VALUES (?, ?, ?) "
        "ON CONFLICT(name, symbol) DO UPDATE SET value = value + excluded.value",
        [(name, symbol, value) for (name, symbol), value in increments.items()],
    )


def read_counters(db: sqlite3.Connection) -> dict[tuple[str, str], float]:
    """All counters, by (name, symbol)."""
    rows = db.execute("SELECT name, symbol, value FROM counters").fetchall()
    return {(name, symbol): value for name, symbol, value in rows}


def set_status(db: sqlite3.Connection, now_ms: int, values: Mapping[str, Any]) -> None:
    """Replaces status values (anything JSON holds), with the local time they were written."""
    db.executemany(
        "INSERT OR REPLACE INTO service_status VALUES (?, ?, ?)",
        [(key, json.dumps(value), now_ms) for key, value in values.items()],
    )


def read_status(db: sqlite3.Connection) -> dict[str, tuple[Any, int]]:
    """Status values with the local time (Unix ms) each was written."""
    rows = db.execute("SELECT key, value, updated_ms FROM service_status").fetchall()
    return {key: (json.loads(value), updated_ms) for key, value, updated_ms in rows}
