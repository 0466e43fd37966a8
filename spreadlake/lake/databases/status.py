"""What a service leaves in its own database for the others: counters, status lines, signs of life.

The wall clock is set back and forward, and a sign of life that it dates into the future would
count for ever. So a service leaves the monotonic time as well, and with it which boot of which
machine that is of: there, and only there, the two can be compared.
"""

import json
import sqlite3
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


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


def beat() -> dict[str, Any]:
    """A sign of life now, to be left in a status; each one differs from the one before."""
    return {"boot": _boot(), "monotonic_ms": time.monotonic_ns() // 1_000_000}


def seconds_since(sign: object) -> float | None:
    """Seconds since a sign of life was left.

    None for what is none, and for one of another machine or of a boot before this one.
    """
    if not isinstance(sign, dict) or not _boot() or sign.get("boot") != _boot():
        return None
    left_ms = sign.get("monotonic_ms")
    if not isinstance(left_ms, int | float):
        return None
    seconds = time.monotonic() - left_ms / 1000
    return seconds if seconds > -1.0 else None


@cache
def _boot() -> str:
    """Empty where it is not known: then nothing can be compared."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
