"""Names, identities, counters and files that are there or not."""

import os
import resource
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spreadlake.errors import LakeError
from spreadlake.lake import (
    HOUR_MS,
    Lake,
    Origin,
    add_counters,
    atomic,
    claim,
    hour_of,
    open_ticks_writer,
    read_counters,
    read_status,
    set_status,
)
from spreadlake.lake.parquet import write_durably

FRAME = pl.DataFrame({"trade_id": [1, 2], "price": [1.5, None]})


@given(st.integers(0, 4_102_444_800_000), st.sampled_from(["BTCUSDT", "BTCUSDT_261225", "币安"]))
def test_a_partition_says_its_symbol_and_hour(time_ms: int, symbol: str) -> None:
    lake = Lake(Path("/lake"))
    path = lake.tick_partition(symbol, hour_of(time_ms))
    assert lake.partition_hour(path) == (symbol, hour_of(time_ms))
    assert 0 <= time_ms - hour_of(time_ms) < HOUR_MS


def test_a_partition_is_named_as_promised() -> None:
    path = Lake(Path("data")).tick_partition("BTCUSDT", 1_723_161_600_000 + 13 * HOUR_MS)
    assert str(path) == "data/ticks/symbol=BTCUSDT/date=2024-08-09/13.parquet"


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "00.parquet"
    write_durably(FRAME, path)
    assert pl.read_parquet(path).equals(FRAME, null_equal=True)
    write_durably(FRAME.head(1), path)
    assert pl.read_parquet(path).height == 1
    assert [file.name for file in path.parent.iterdir()] == ["00.parquet"]


def test_a_file_that_does_not_read_back_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "00.parquet"
    write_durably(FRAME, path)
    monkeypatch.setattr(pl, "read_parquet", lambda *_, **__: FRAME.head(1))
    with pytest.raises(LakeError, match="does not read back as it was written"):
        write_durably(FRAME, path)
    monkeypatch.undo()
    assert pl.read_parquet(path).equals(FRAME, null_equal=True)


def test_what_speaks_against_a_file_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "00.parquet"
    write_durably(FRAME, path)

    def refuse(rows: pl.DataFrame) -> None:
        raise LakeError(f"{rows.height} rows are too few")

    with pytest.raises(LakeError, match="1 rows are too few"):
        write_durably(FRAME.head(1), path, refuse)
    assert pl.read_parquet(path).equals(FRAME)
    assert list(tmp_path.iterdir()) == [path]


@contextmanager
def no_room_beyond(size: int) -> Iterator[None]:
    """No file of this process can grow beyond `size`, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_nothing_is_left_beside_a_file_that_there_is_no_room_for(tmp_path: Path) -> None:
    path = tmp_path / "00.parquet"
    write_durably(FRAME, path)
    with pytest.raises(OSError, match="File too large"), no_room_beyond(100):
        write_durably(FRAME.head(1), path)
    assert pl.read_parquet(path).equals(FRAME)
    assert list(tmp_path.iterdir()) == [path]


def test_what_polars_cannot_write_is_an_error_of_the_lake(tmp_path: Path) -> None:
    path = tmp_path / "00.parquet"
    with pytest.raises(LakeError, match=r"00\.parquet cannot be written"):
        write_durably(pl.DataFrame({"a": [object()]}, schema={"a": pl.Object}), path)
    assert list(tmp_path.iterdir()) == []


def test_new_folders_are_as_durable_as_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []

    def note(handle: int) -> None:
        synced.append(os.fstat(handle).st_ino)

    monkeypatch.setattr(os, "fsync", note)
    path = tmp_path / "a" / "b" / "00.parquet"
    write_durably(FRAME, path)
    folders = [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
    assert {folder.stat().st_ino for folder in folders} | {path.stat().st_ino} == set(synced)


@pytest.mark.parametrize(
    ("kind", "origin", "said"),
    [
        ("trade", "exchange", "holds aggTrade ids and cannot take trade ids: they count different"),
        ("aggTrade", "demo", "is for trades of a real exchange and cannot take trades of the simu"),
    ],
)
def test_what_a_lake_holds_is_never_mixed(
    tmp_path: Path, kind: str, origin: Origin, said: str
) -> None:
    lake = Lake(tmp_path)
    with closing(open_ticks_writer(lake)) as db:
        claim(db, lake, "aggTrade", "exchange")
        claim(db, lake, "aggTrade", "exchange")
        with pytest.raises(LakeError, match=said):
            claim(db, lake, kind, origin)
        assert dict(db.execute("SELECT * FROM meta").fetchall()) == {
            "trade_kind": "aggTrade",
            "origin": "exchange",
        }


def test_counters_add_up_and_go_with_their_transaction(tmp_path: Path) -> None:
    with closing(open_ticks_writer(Lake(tmp_path))) as db:
        for count in (3, 4):
            with atomic(db):
                add_counters(db, {("ticks", "BTCUSDT"): count, ("frames", ""): 1})
        with pytest.raises(ZeroDivisionError), atomic(db):  # noqa: PT012
            add_counters(db, {("frames", ""): 1})
            raise ZeroDivisionError
        assert read_counters(db) == {("ticks", "BTCUSDT"): 7, ("frames", ""): 2}


def test_a_status_is_what_was_said_last(tmp_path: Path) -> None:
    with closing(open_ticks_writer(Lake(tmp_path))) as db:
        set_status(db, 1000, {"collector": {"pid": 1}, "note": "a"})
        set_status(db, 2000, {"collector": {"pid": 2}})
        assert read_status(db) == {"collector": ({"pid": 2}, 2000), "note": ("a", 1000)}
