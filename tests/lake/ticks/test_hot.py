"""The hot rows of `ticks.db`."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from spreadlake.lake.ticks.hot import give_back_pages


@pytest.mark.parametrize("shrinks", [0, 2])
def test_giving_back_pages_comes_to_an_end(tmp_path: Path, shrinks: int) -> None:
    """Also in a file of another tool, which never shrinks."""
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as db:
        db.execute(f"PRAGMA auto_vacuum = {shrinks}")
        db.execute("CREATE TABLE filler(x)")
        db.execute(
            "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000) "
            "INSERT INTO filler SELECT zeroblob(4000) FROM n"
        )
        db.execute("DELETE FROM filler")
        [free] = db.execute("PRAGMA freelist_count").fetchone()
        assert free > 5000
        calls = 0
        while give_back_pages(db, 1000):
            calls += 1
            assert calls < 20
        [left] = db.execute("PRAGMA freelist_count").fetchone()
    assert left == (free if shrinks == 0 else 2048)
