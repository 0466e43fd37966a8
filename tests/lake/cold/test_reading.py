"""A lake whose finished days are in a bucket alone is the lake that it was, to every reader."""

import time
from contextlib import closing
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from spreadlake.errors import DamagedFileError, MissingFileError, ObjectStorageError
from spreadlake.lake import HOUR_MS, Lake, open_reader, read_trades
from spreadlake.lake.analytics.archive import Piece, is_on_logs
from spreadlake.lake.cold import reading
from spreadlake.lake.cold.address import ColdAddress
from spreadlake.lake.cold.objects import Objects
from spreadlake.lake.files import is_remote, matching, names_in
from spreadlake.lake.parquet import write_durably
from spreadlake.lake.ticks.partitions import read_partition
from spreadlake.lake.ticks.rolls import missing_hours
from spreadlake.series import PAIR_ANALYTICS
from tests.buckets import Server
from tests.cold_lakes import (
    EPOCH_MS,
    everything,
    finished_files,
    finished_lake,
    upload,
)
from tests.metered import Way
from tests.uploader.between import Faults, between


def day_of(lake: Lake) -> Path:
    return lake.tick_day("AUSDT", EPOCH_MS)


@pytest.fixture
def lake(tmp_path: Path, cold: ColdAddress, way: Way) -> Lake:
    """A day of two files of trades, in the bucket alone."""
    lake = Lake(tmp_path / "lake")
    frame = trades_of_a_day()
    for symbol in ("AUSDT", "BUSDT"):
        path = lake.tick_day(symbol, EPOCH_MS)
        path.parent.mkdir(parents=True)
        frame.write_parquet(path, row_group_size=10_000)
    upload(lake, cold)
    way.forget()
    return lake


def trades_of_a_day() -> pl.DataFrame:
    """240,000 trades from midnight on, so many that their file is read in parts."""
    midnight, number = EPOCH_MS // 86_400_000 * 86_400_000, 240_000
    count = pl.int_range(number, eager=True)
    return pl.DataFrame(
        {
            "trade_id": count + 1,
            "time_ms": midnight + count * (86_400_000 // number),
            "price": np.random.default_rng(1).random(number),
            "qty": np.random.default_rng(2).random(number),
            "buyer_is_maker": count % 2,
        }
    )


def test_what_is_in_the_bucket_alone_is_read_as_it_was(tmp_path: Path, cold: ColdAddress) -> None:
    lake = finished_lake(tmp_path)
    before = everything(lake)
    moved = upload(lake.lake, cold)
    assert len({path.relative_to(tmp_path).parts[0] for path in moved}) == 4
    assert finished_files(lake.lake) == []
    after = everything(lake)
    for name, found in before.items():
        assert after[name] == found, name
    with closing(open_reader(lake.lake.ticks_db)) as db:
        assert missing_hours(db, lake.lake) == []
    lake.close()


def test_an_hour_of_a_day_is_not_the_whole_file(lake: Lake, way: Way) -> None:
    size = sum(path[1] for path in sizes(lake)) / 2
    hour = EPOCH_MS // 86_400_000 * 86_400_000 + 5 * HOUR_MS
    within = pl.col("time_ms").is_between(hour, hour + HOUR_MS, closed="left")
    found = read_partition(lake, day_of(lake), where=within)
    assert found.height == 10_000
    assert way.bytes < size / 4
    assert len(way.requests) <= 12


def sizes(lake: Lake) -> list[tuple[str, int]]:
    with closing(open_reader(lake.cold_db)) as db:
        return db.execute("SELECT path, bytes FROM objects").fetchall()


def test_looking_asks_the_server_nothing(lake: Lake, way: Way) -> None:
    path = day_of(lake)
    assert is_remote(lake, path)
    assert names_in(lake, lake.ticks_dir) == {"symbol=AUSDT", "symbol=BUSDT"}
    assert names_in(lake, path.parent) == {"day.parquet"}
    assert matching(lake, lake.ticks_dir, "symbol=*/date=*/*.parquet") == [
        lake.tick_day(symbol, EPOCH_MS) for symbol in ("AUSDT", "BUSDT")
    ]
    assert matching(lake, lake.ticks_dir, "symbol=*/*.parquet") == []
    assert way.requests == []


def test_a_server_that_is_silent_is_waited_for_once(lake: Lake, way: Way) -> None:
    way.silent = True
    begin = time.monotonic()
    with pytest.raises(ObjectStorageError) as first:
        read_partition(lake, day_of(lake))
    waited, asked = time.monotonic() - begin, len(way.requests)
    assert waited < 60
    message = str(first.value)
    assert "symbol=AUSDT" in message
    assert way.endpoint in message
    assert "AWS_ENDPOINT_URL" in message
    assert (first.value.path, first.value.for_good) == (day_of(lake), False)
    with pytest.raises(ObjectStorageError, match="symbol=BUSDT"):
        read_partition(lake, lake.tick_day("BUSDT", EPOCH_MS))
    assert len(way.requests) == asked


@pytest.mark.parametrize("status", [403, 500, 503])
def test_an_answer_that_is_none_is_told(lake: Lake, way: Way, status: int) -> None:
    way.status = status
    with pytest.raises(ObjectStorageError, match=str(status)):
        read_partition(lake, day_of(lake))
    way.status = None
    reading._away.clear()
    assert read_partition(lake, day_of(lake)).height == 240_000


@pytest.mark.parametrize("status", [400, 401, 403])
def test_an_object_that_is_refused_keeps_nobody_from_another(
    lake: Lake, way: Way, status: int
) -> None:
    """Such as one that was moved to an archive (403 InvalidObjectState): the server is there."""
    way.status = status
    with pytest.raises(ObjectStorageError, match=str(status)):
        read_partition(lake, day_of(lake))
    way.status = None
    assert read_partition(lake, lake.tick_day("BUSDT", EPOCH_MS)).height


def test_what_a_bucket_does_not_say_of_prices_is_not_taken_for_raw_ones(
    lake: Lake, way: Way, cold: ColdAddress
) -> None:
    """The column would be left out of the file that takes the place of this one."""
    piece = Piece.at(PAIR_ANALYTICS, "1m", "AUSDT/BUSDT", EPOCH_MS // 1000).whole_day
    write_durably(pl.DataFrame({"time": [1], "prices": ["log"]}), piece.path(lake))
    upload(lake, cold)
    assert is_on_logs(piece, lake)
    way.status = 503
    with pytest.raises(ObjectStorageError):
        is_on_logs(piece, lake)


@pytest.mark.parametrize("rows", [100, 200_000])
def test_an_object_of_others_that_is_written_anew_is_read_as_one_version(
    lake: Lake, way: Way, cold: ColdAddress, tmp_path: Path, rows: int
) -> None:
    """As who opened a lake by its address reads it: its record does not say that it is another."""
    path, later = tmp_path / "later.parquet", trades_of_a_day().head(rows)
    later.with_columns(pl.col("price") + 1).write_parquet(path, row_group_size=9_000)

    def put(*_: str) -> None:
        if len(way.requests) >= 2:
            way.before = None
            file = day_of(lake).relative_to(lake.root).as_posix()
            Objects(cold).put_bytes(file, path.read_bytes())

    url = f"{cold.text}/{day_of(lake).relative_to(lake.root).as_posix()}"
    way.before = put
    found = reading.ask_object(url, day_of(lake), lambda file: file.collect())
    assert found["price"].equals(later["price"] + 1)


def test_an_object_that_is_gone_is_told_and_is_no_day_without_trades(
    lake: Lake, cold: ColdAddress, s3_server: Server
) -> None:
    key = cold.key(day_of(lake).relative_to(lake.root).as_posix())
    s3_server.client().delete_object(Bucket=cold.bucket, Key=key)
    with pytest.raises(MissingFileError, match="NoSuchKey"):
        read_partition(lake, day_of(lake))


def test_an_object_that_is_no_parquet_is_told_and_stays(
    lake: Lake, cold: ColdAddress, s3_server: Server
) -> None:
    key = cold.key(day_of(lake).relative_to(lake.root).as_posix())
    s3_server.client().put_object(Bucket=cold.bucket, Key=key, Body=b"no file of ours" * 100)
    with pytest.raises(DamagedFileError, match="put a good copy at") as raised:
        read_partition(lake, day_of(lake))
    assert not raised.value.for_good


def test_a_file_that_comes_back_while_its_object_is_read_counts(lake: Lake, way: Way) -> None:
    """A writer has merged into it meanwhile: its rows are the answer, and not those of before."""
    path, later = day_of(lake), trades_of_a_day().head(7)

    def come_back(*_: object) -> None:
        way.before = None
        later.write_parquet(path)

    way.before = come_back
    assert read_partition(lake, path).height == 7


def test_an_object_that_is_written_anew_while_it_is_read_is_read_again(
    lake: Lake, way: Way, cold: ColdAddress, monkeypatch: pytest.MonkeyPatch, s3_server: Server
) -> None:
    path, later = day_of(lake), trades_of_a_day().with_columns(pl.col("price") + 1)

    def upload_anew(method: str, _: str) -> None:
        if method == "GET" and len(way.requests) >= 2:
            way.before = None
            later.write_parquet(path, row_group_size=9_000)
            with monkeypatch.context() as patched:
                patched.setenv("AWS_ENDPOINT_URL", s3_server.endpoint)
                upload(lake, cold)

    way.before = upload_anew
    found = read_partition(lake, path)
    assert not is_remote(lake, path) or len(way.requests) > 4
    assert found["price"].equals(later["price"])


def test_a_file_that_leaves_the_disk_while_it_is_read_is_read_from_the_bucket(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = day_of(lake)
    trades_of_a_day().write_parquet(path)
    scan = pl.scan_parquet

    def leave(source: object, **options: object) -> pl.LazyFrame:
        path.unlink(missing_ok=True)
        return scan(source, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(pl, "scan_parquet", leave)
    assert read_partition(lake, path).height == 240_000


def test_no_request_costs_more_than_it_has_to(lake: Lake, way: Way) -> None:
    """Ends of ids: the column of them alone, which is small, and no other."""
    from spreadlake.lake.ticks.partitions import ids_in_partition

    assert ids_in_partition(lake, day_of(lake)) == (1, 240_000)
    assert len(way.requests) <= 30


def test_a_lake_without_a_cold_part_imports_none(tmp_path: Path) -> None:
    import subprocess
    import sys

    program = (
        "import sys, spreadlake; lake = spreadlake.sample(sys.argv[1]);"
        "lake.trades().collect(); lake.bars(wide='close').collect(); lake.coverage();"
        "print([name for name in sys.modules if name.startswith(('spreadlake.lake.cold.', 'boto'))"
        "       and name != 'spreadlake.lake.cold.address'])"  # how a setting is written
    )
    said = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "sample")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "[]"


def test_a_clock_that_is_wrong_is_told_with_its_remedy(
    tmp_path: Path, cold: ColdAddress, s3_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = finished_lake(tmp_path)
    assert upload(lake.lake, cold)
    faults = Faults(status=403, method="any", code="RequestTimeTooSkewed")
    with between(s3_server.endpoint, faults) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        with pytest.raises(ObjectStorageError, match=r"RequestTimeTooSkewed.*set this one right"):
            read_trades(lake.lake, EPOCH_MS, EPOCH_MS + HOUR_MS)
    lake.close()
