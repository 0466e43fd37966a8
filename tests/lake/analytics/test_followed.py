"""Which pairs are followed, as lakes of every age keep it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from spreadlake.lake import Lake, atomic, open_analytics_writer, open_reader
from spreadlake.lake.analytics.followed import (
    count_followed,
    read_chosen,
    read_followed,
    save_followed,
)
from spreadlake.pairs import FollowedPair, Pair
from tests.running import invoke

VERSIONS = Path(__file__).parents[1] / "versions"
DEFINITION = '{"max_stale_bars": 30, "kalman": [0.0001, 0.001]}'
A_B, C_A, B_C = Pair("A", "B"), Pair("C", "A"), Pair("B", "C")


def of_before(root: Path, version: int) -> Lake:
    """A lake with two configured pairs, as a job of before left it."""
    lake = Lake(root)
    root.mkdir()
    with closing(sqlite3.connect(lake.analytics_db)) as db:
        db.executescript((VERSIONS / f"analytics_{version}.sql").read_text())
        db.execute(f"PRAGMA user_version = {version}")
        for pair in ("A/B", "C/A"):
            for window in (20, 60):
                row = (pair, window, DEFINITION)
                db.execute("INSERT INTO series VALUES (?, '1s', ?, 300, ?)", row)
        db.commit()
    return lake


@pytest.mark.parametrize("version", [1, 6, 7])
def test_a_lake_of_before(tmp_path: Path, version: int) -> None:
    lake = of_before(tmp_path / "data", version)
    configured = [FollowedPair(A_B, "configuration"), FollowedPair(C_A, "configuration")]
    with closing(open_reader(lake.analytics_db)) as db:
        assert read_followed(db) == configured
        assert count_followed(db) == {"configuration": 2}
        assert read_chosen(db) == []
    listed = invoke("pairs", cwd=tmp_path)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "C/A" in listed.stdout
    assert invoke("status", "--json", cwd=tmp_path).returncode == 0
    open_analytics_writer(lake).close()
    with closing(open_reader(lake.analytics_db)) as db:
        assert read_followed(db) == configured
        assert count_followed(db) == {"configuration": 2}


def test_only_what_has_changed_is_written(tmp_path: Path) -> None:
    configured = [FollowedPair(A_B, "configuration"), FollowedPair(C_A, "configuration")]
    with closing(open_analytics_writer(Lake(tmp_path))) as db:
        for followed, final in (
            (configured[:1], None),
            (configured, 100),
            (configured, 200),
            ([*configured, FollowedPair(B_C, "screen", 50, "rank 1")], 300),
        ):
            with atomic(db):
                save_followed(db, followed, final)
        assert read_followed(db) == [
            FollowedPair(A_B, "configuration", None),
            FollowedPair(B_C, "screen", 50, "rank 1"),
            FollowedPair(C_A, "configuration", 100),
        ]
        writes = db.total_changes
        with atomic(db):
            save_followed(db, read_followed(db), 400)
        assert db.total_changes == writes
        with atomic(db):
            save_followed(db, [FollowedPair(A_B, "hand", 9, "added")], 500)
        assert read_followed(db) == [FollowedPair(A_B, "hand", 9, "added")]
