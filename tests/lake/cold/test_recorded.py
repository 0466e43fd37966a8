"""What is on record in `cold.db`, as readers see it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from spreadlake.errors import LakeError
from spreadlake.lake import Lake, atomic, open_cold_writer
from spreadlake.lake.cold.recorded import recorded
from spreadlake.lake.databases.meta import write_meta

DAY = "ticks/symbol=BTCUSDT/date=2026-11-01/day.parquet"


def record(db: sqlite3.Connection, path: str, size: int = 7) -> None:
    with atomic(db):
        db.execute("INSERT INTO objects VALUES (?, ?, 'x', 0, 0, 0, 0)", (path, size))


def test_a_lake_without_a_cold_part_has_nothing_in_a_bucket(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    held = recorded(lake)
    assert held.address is None
    assert not held.has(tmp_path / DAY)
    assert held.under(lake.ticks_dir) == []
    with pytest.raises(LakeError, match="no cold part"):
        held.url(tmp_path / DAY)


def test_what_is_on_record_is_seen_at_once(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    day = tmp_path / DAY
    with closing(open_cold_writer(lake)) as db:
        held = recorded(lake)
        assert not held.has(day)
        with atomic(db):
            write_meta(db, "address", "s3://bucket/lake")
        record(db, DAY)
        record(db, DAY.replace("BTC", "BTCX"))
        assert recorded(lake) is held
        assert held.has(day)
        assert held.bytes(day) == 7
        assert held.url(day) == f"s3://bucket/lake/{DAY}"
        assert held.under(day.parent.parent) == [day]
        assert len(held.under(lake.ticks_dir)) == 2


def test_a_record_that_is_just_being_made_has_nothing_yet(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    sqlite3.connect(lake.cold_db).close()
    lake.cold_db.touch()
    assert not recorded(lake).has(tmp_path / DAY)
    with closing(open_cold_writer(lake)) as db:
        record(db, DAY)
    assert recorded(lake).has(tmp_path / DAY)


def test_another_record_in_its_place_is_another(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with closing(open_cold_writer(lake)) as db:
        record(db, DAY)
    assert recorded(lake).has(tmp_path / DAY)
    (tmp_path / "kept").mkdir()
    for path in tmp_path.glob("cold.db*"):
        path.rename(tmp_path / "kept" / path.name)
    assert not recorded(lake).has(tmp_path / DAY)
    open_cold_writer(lake).close()
    assert not recorded(lake).has(tmp_path / DAY)
