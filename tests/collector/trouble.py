"""Databases that cannot be written for a while."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from collector import service
from spreadlake.lake import Lake, open_ticks_writer


@contextmanager
def locked(lake: Lake) -> Iterator[None]:
    """Another process keeps the database to itself, as a careless tool would."""
    with closing(sqlite3.connect(lake.ticks_db, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("ROLLBACK")


def impatient(monkeypatch: pytest.MonkeyPatch, *pragmas: str) -> list[sqlite3.Connection]:
    """The collector's own connection, with settings that a test needs."""
    opened = []

    def open_writer(lake: Lake) -> sqlite3.Connection:
        db = open_ticks_writer(lake)
        for pragma in ("busy_timeout=50", *pragmas):
            db.execute(f"PRAGMA {pragma}")
        opened.append(db)
        return db

    monkeypatch.setattr(service, "open_ticks_writer", open_writer)
    return opened
