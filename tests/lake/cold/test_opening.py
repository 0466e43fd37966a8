"""A lake is opened where only its bucket is known, and is what it was up to where it ends."""

import gc
import sqlite3
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import spreadlake
from collector.roll import compact_all
from spreadlake.errors import LakeError, ObjectStorageError
from spreadlake.lake import HOUR_MS
from spreadlake.lake.cold import catalogue, kept, reading, recorded
from spreadlake.lake.cold.address import ColdAddress
from spreadlake.lake.cold.catalogue import DIGEST
from spreadlake.lake.cold.objects import Objects
from tests.analytics_job.archiving import HOURS, trades
from tests.analytics_job.harness import TestLake
from tests.buckets import Server
from tests.cold_lakes import (
    EPOCH_MS,
    MIDNIGHT_MS,
    SYMBOLS,
    describe,
    finished_lake,
    researched,
    upload,
)
from tests.trades import Trade

NAMES = ("cold.db", "ticks.db", "analytics.db")
END = datetime.fromtimestamp(MIDNIGHT_MS / 1000, UTC)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(reading, "_away", {})
    return tmp_path / "cache"


@pytest.fixture
def uploaded(tmp_path: Path, cold: ColdAddress) -> TestLake:
    lake = finished_lake(tmp_path / "lake")
    upload(lake.lake, cold, keep=True)
    describe(lake.lake, cold)
    return lake


def test_it_is_the_lake_up_to_where_it_says_that_it_ends(
    uploaded: TestLake, cold: ColdAddress, own_cache: Path
) -> None:
    there, here = spreadlake.open(cold.text), spreadlake.open(uploaded.lake.root)
    assert repr(there) == f"spreadlake.open('{cold.text}')"
    assert there.reach() == {"trades": END, "1s": END, "1m": END}
    assert here.reach() == {}
    found = researched(there)
    assert found["trades"] == here.trades(end=END).collect().rows()
    assert found["bars"] == here.bars(timeframe="1s", end=END).collect().rows()
    assert found["minutes"] == here.bars(timeframe="5m", end=END).collect().rows()
    assert found["wide"] == here.bars(timeframe="1m", wide="close", end=END).collect().rows()
    for name, timeframe in (("pair", "1m"), ("kept", "1s")):
        pair = here.pair("AUSDT", "BUSDT", timeframe, window=30, lookback=60, end=END)
        assert found[name] == pair.collect().rows()
        assert found[name]
    test = here.backtest("AUSDT", "BUSDT", "1m", window=30, lookback=60, entry=1.5, end=END)
    summary, trades, equity = found["backtest"]
    assert (trades, equity) == (test.trades.rows(), test.equity.rows())
    assert summary["net"] == test.summary["net"]
    at = datetime.fromtimestamp(MIDNIGHT_MS / 1000 - 600, UTC)
    assert found["screen"] == here.screen("1m", lookback=60, window=30, at=at).rows()
    coverage = there.coverage().filter(~there.coverage()["missing"])
    assert set(coverage["end"]) <= {
        END,
        datetime.fromtimestamp(MIDNIGHT_MS / 1000 - 19.499, UTC),
        datetime.fromtimestamp(MIDNIGHT_MS / 1000 - 19.999, UTC),
    }
    assert there.coverage().filter(there.coverage()["missing"]).is_empty()
    kept = sorted(path for path in own_cache.rglob("*") if path.is_file())
    assert [path.name for path in kept] == ["analytics.db", "cold.db", "ticks.db"]


def test_a_catalogue_that_is_written_anew_is_seen_and_few_are_kept(
    uploaded: TestLake, cold: ColdAddress, own_cache: Path
) -> None:
    for number in range(5):
        uploaded.db.execute("INSERT OR REPLACE INTO meta VALUES ('note', ?)", (str(number),))
        describe(uploaded.lake, cold)
        folder = spreadlake.open(cold.text).path
        assert spreadlake.open(cold.text).path == folder
    assert len(list(own_cache.glob("spreadlake/lake-*/*"))) == 3


def test_a_catalogue_that_is_read_is_kept(
    uploaded: TestLake, cold: ColdAddress, own_cache: Path
) -> None:
    """Who reads for long would else find an empty lake once others have opened newer ones."""
    first = spreadlake.open(cold.text)
    wanted = first.trades().collect()
    for number in range(5):
        uploaded.db.execute("INSERT OR REPLACE INTO meta VALUES ('note', ?)", (str(number),))
        describe(uploaded.lake, cold)
        assert spreadlake.open(cold.text).path != first.path
    assert first.trades().collect().equals(wanted)
    assert len(list(own_cache.glob("spreadlake/lake-*/*"))) == 4
    there = first.path
    del first
    gc.collect()
    recorded._opened.cache_clear()  # it may be among the lakes of which a record is kept open
    spreadlake.open(cold.text)
    assert not there.exists()


def test_a_catalogue_of_which_a_part_was_removed_is_made_again(
    uploaded: TestLake, cold: ColdAddress
) -> None:
    folder = spreadlake.open(cold.text).path
    for name in ("cold.db", "ticks.db"):
        (folder / name).unlink()
        assert spreadlake.open(cold.text).trades().collect().height


def test_what_is_on_the_disk_alone_ends_it(tmp_path: Path, cold: ColdAddress) -> None:
    """A day of one symbol that is yet to be uploaded: nobody's trades go further than it."""
    lake = finished_lake(tmp_path / "lake")
    left = lake.lake.tick_day("BUSDT", EPOCH_MS)
    whole = left.read_bytes()
    left.unlink()
    upload(lake.lake, cold, keep=True)
    left.write_bytes(whole)
    describe(lake.lake, cold)
    there = spreadlake.open(cold.text)
    assert there.reach()["trades"] < END
    assert there.reach()["1s"] == END
    assert there.trades().collect().is_empty()
    assert there.bars(timeframe="1s").collect().height


def test_a_copy_of_the_bucket_is_read_where_it_is(
    uploaded: TestLake, cold: ColdAddress, s3_server: Server
) -> None:
    """Its catalogue says where the lake was uploaded to, which may be no more."""
    expected = spreadlake.open(cold.text).trades().collect()
    there = ColdAddress(s3_server.make_bucket(), "a/copy")
    objects, copy = Objects(cold), Objects(there)
    for held in list(objects.list()):
        copy.put_bytes(held.path, objects.get(held.path) or b"")
        objects.delete([held.path])
    found = spreadlake.open(f"{there.text}/")
    assert found.trades().collect().equals(expected)
    assert expected.height


def test_what_is_beside_a_day_on_the_disk_alone_ends_it(
    uploaded: TestLake, cold: ColdAddress
) -> None:
    """A late trade of a day that is in the bucket: its hour is in no object."""
    late = Trade("AUSDT", 900_000, EPOCH_MS + 7, 100.0, 1.0, False)
    uploaded.store([late])
    uploaded.roll("AUSDT", EPOCH_MS)
    hours = "UPDATE rolls SET rows = 181, day_rows = 180 WHERE symbol = 'AUSDT' AND hour_ms = ?"
    uploaded.db.execute(hours, (EPOCH_MS,))
    hour = uploaded.lake.tick_partition("AUSDT", EPOCH_MS)
    assert hour.exists()
    describe(uploaded.lake, cold)
    there = spreadlake.open(cold.text)
    assert there.reach()["trades"] < END
    assert there.trades().collect().is_empty()


def test_what_is_rolled_while_it_is_described_is_on_the_disk_alone(
    tmp_path: Path, cold: ColdAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leaves SQLite between the look at what is there and the copy: it is in neither."""
    lake = TestLake(tmp_path / "lake")
    lake.store(trades())
    for symbol in SYMBOLS:
        for hour in range(2):
            lake.roll(symbol, EPOCH_MS + hour * HOUR_MS)
    assert compact_all(lake.lake, lake.db, MIDNIGHT_MS) == 2
    upload(lake.lake, cold, keep=True)
    steps = list[str]()

    def step(name: str) -> None:
        real = getattr(catalogue, name)

        def work(*given: Any) -> Any:
            steps.append(name)
            if len(steps) == 2:
                for symbol in SYMBOLS:
                    for hour in range(2, HOURS):
                        lake.roll(symbol, EPOCH_MS + hour * HOUR_MS)
            return real(*given)

        monkeypatch.setattr(catalogue, name, work)

    step("_first_hot")
    step("_copy_all")
    describe(lake.lake, cold)
    assert len(steps) == 2
    there = spreadlake.open(cold.text)
    assert there.reach() == {"trades": END}
    expected = [one for one in trades() if one.time_ms < MIDNIGHT_MS]
    assert there.trades().collect().height == len(expected)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("s3://nowhere-of-ours/lake", "no bucket nowhere-of-ours"),
        ("s3://{bucket}/elsewhere", "has no lake"),
        ("s3://{bucket}/", "has no lake"),
        ("s3://-", "is not the address of a bucket"),
        ("gs://{bucket}/lake", "gs://.* is neither a folder"),
        ("https://key:secret@{bucket}/lake", "^https://… is neither a folder"),
    ],
)
def test_an_address_that_is_wrong_is_told(cold: ColdAddress, address: str, said: str) -> None:
    with pytest.raises(LakeError, match=said):
        spreadlake.open(address.format(bucket=cold.bucket))


@pytest.mark.parametrize(
    "holds",
    [
        None,
        {"a": [1]},
        {"name": ["ticks.db"], "content": [b"else"]},
        {"name": ["cold.db"], "content": [b"else" * 1000]},
        {"name": ["cold.db"], "content": [b""]},
        {"name": ["cold.db"], "content": ["text"]},
        {"name": [*NAMES], "content": [b"SQLite format 3\0" + bytes(5_000)] * 3},
        {"name": [*NAMES, DIGEST], "content": [b"SQLite format 3\0"] * 4},
    ],
)
def test_an_object_that_is_no_catalogue_is_told(
    cold: ColdAddress, own_cache: Path, holds: dict[str, list[Any]] | None
) -> None:
    content = BytesIO(b"else" * 100)
    if holds is not None:
        pl.DataFrame(holds).write_parquet(content)
    Objects(cold).put_bytes("catalogue.parquet", content.getvalue())
    with pytest.raises(LakeError, match="is no catalogue of a lake") as refused:
        spreadlake.open(cold.text)
    assert cold.text in str(refused.value)
    assert not [path for path in own_cache.rglob("*") if path.is_file()]


def test_a_cache_without_room_is_told(
    uploaded: TestLake, cold: ColdAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(kept, "_say_where", full)
    with pytest.raises(LakeError, match=r"disk is full; make room there.*XDG_CACHE_HOME"):
        spreadlake.open(cold.text)


@pytest.mark.parametrize("endpoint", ["127.0.0.1:9000", "s3.example.org", "user:pass@host"])
def test_an_endpoint_that_is_no_address_is_told(
    cold: ColdAddress, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(ObjectStorageError, match=r"AWS_ENDPOINT_URL.*neither with http://") as told:
        spreadlake.open(cold.text)
    assert "pass" not in str(told.value)


def test_who_may_not_and_who_cannot_reach_it_are_told(
    cold: ColdAddress, s3_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    if s3_server.is_real:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret-than-the-servers")
        with pytest.raises(ObjectStorageError, match="403") as refused:
            spreadlake.open(cold.text)
        assert "another-secret" not in str(refused.value)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
        with pytest.raises(ObjectStorageError, match="AWS_ACCESS_KEY_ID"):
            spreadlake.open(cold.text)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(ObjectStorageError, match=r"127\.0\.0\.1:9.*AWS_ENDPOINT_URL"):
        spreadlake.open(cold.text)
