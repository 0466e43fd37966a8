"""How long what is kept where there is object storage: removed for good only where told to."""

from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from collector.roll import remover
from spreadlake.config.storing import StorageSettings
from spreadlake.errors import RemovedError
from spreadlake.lake import (
    Lake,
    atomic,
    open_analytics_writer,
    open_reader,
    open_ticks_writer,
)
from spreadlake.lake.analytics.removal import refuse_removed_rows, removed_key
from spreadlake.lake.cold.address import ColdAddress
from spreadlake.lake.cold.recorded import recorded
from spreadlake.lake.parquet import write_durably
from spreadlake.lake.ticks.compaction import Day
from spreadlake.lake.ticks.removal import record_removed, refuse_removed
from spreadlake.series import BARS
from tests.uploader.lakes import (
    NOV_1_MS,
    day_file,
    lake_of_days,
    objects_in,
    paths_of,
    uploading,
)

DAY_MS = 86_400_000


def test_keep_days_and_max_gib_remove_nothing_for_good_where_there_is_a_bucket() -> None:
    kept = {"keep_days": {"ticks": 9}, "max_gib": 1.0}
    without = StorageSettings.model_validate(kept)
    assert (without.removed_days, without.removed_gib) == ({"ticks": 9}, 1.0)
    cold = StorageSettings.model_validate(kept | {"cold": "s3://bucket/lake"})
    assert (cold.removed_days, cold.removed_gib) == ({}, None)
    told = cold.model_copy(update={"cold_keep_days": {"bars": 99.0}})
    assert told.removed_days == {"bars": 99.0}


def test_what_is_removed_for_good_leaves_the_bucket_as_well(
    tmp_path: Path, cold: ColdAddress
) -> None:
    lake = lake_of_days(tmp_path)
    for date in ("2026-11-01", "2026-11-02"):
        bars = lake.root / f"bars/timeframe=1m/symbol=BTCUSDT/date={date}/day.parquet"
        write_durably(pl.DataFrame({"time": [1]}), bars)
    with uploading(lake, cold) as uploader:
        uploader.once()
        before = objects_in(cold)
        _remove_first_days(lake)
        uploader.once()
        assert objects_in(cold) == before, "only where it is told to"
    with uploading(lake, cold, cold_keep_days={"ticks": 9, "bars": 9}) as uploader:
        uploader.once()
        gone = before - objects_in(cold)
        assert gone == {
            day_file(lake).relative_to(lake.root).as_posix(),
            "bars/timeframe=1m/symbol=BTCUSDT/date=2026-11-01/day.parquet",
        }
        assert not any(recorded(lake).has(lake.root / path) for path in gone)
        assert objects_in(cold) == paths_of(lake)


def test_who_asks_for_what_was_removed_is_told_that_the_bucket_has_it(
    tmp_path: Path, cold: ColdAddress
) -> None:
    """As where `cold_keep_days` was taken away again before the objects had gone."""
    lake = lake_of_days(tmp_path, 1)
    bars = lake.root / "bars/timeframe=1m/symbol=BTCUSDT/date=2026-11-01/day.parquet"
    write_durably(pl.DataFrame({"time": [1]}), bars)
    with uploading(lake, cold) as uploader:
        uploader.once()
    _remove_first_days(lake)
    said = r"storage\.cold_keep_days.*the bucket still has files.*" + cold.url("")
    with closing(open_reader(lake.ticks_db)) as db:
        for start, end in ((NOV_1_MS, NOV_1_MS + 1), (0, 2**52)):
            with pytest.raises(RemovedError, match=f"{said}ticks/symbol=BTCUSDT"):
                refuse_removed(db, lake, None, start, end)
    with (
        closing(open_reader(lake.analytics_db)) as db,
        pytest.raises(RemovedError, match=f"{said}bars/timeframe=1m"),
    ):
        refuse_removed_rows(db, lake, BARS, "1m", NOV_1_MS // 1000)
    with uploading(lake, cold, cold_keep_days={"ticks": 9, "bars": 9}) as uploader:
        uploader.once()
    with (
        closing(open_reader(lake.ticks_db)) as db,
        pytest.raises(RemovedError, match=r"storage\.cold_keep_days") as told,
    ):
        refuse_removed(db, lake, None, 0, 2**52)
    assert "bucket still" not in str(told.value)


def test_a_day_that_came_back_stays_in_the_bucket(tmp_path: Path, cold: ColdAddress) -> None:
    lake = lake_of_days(tmp_path, 1)
    with uploading(lake, cold) as uploader:
        uploader.once()
    with closing(open_ticks_writer(lake)) as db:
        record_removed(db, Day(NOV_1_MS, "BTCUSDT"), 1)
        with atomic(db):
            db.execute(
                "INSERT INTO rolls(symbol, hour_ms, rows, max_seq, rolled_ms) "
                "VALUES ('BTCUSDT', ?, 1, 1, 1)",
                (NOV_1_MS,),
            )
    with uploading(lake, cold, cold_keep_days={"ticks": 9}) as uploader:
        uploader.once()
        assert objects_in(cold) == paths_of(lake)


def test_a_day_that_is_in_the_bucket_alone_is_removed_without_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    remover.remove_files(Lake(tmp_path), Day(NOV_1_MS, "BTCUSDT"))
    assert not caplog.records


def _remove_first_days(lake: Lake) -> None:
    """As the collector and the analytics job record it, and remove the files."""
    with closing(open_ticks_writer(lake)) as db:
        record_removed(db, Day(NOV_1_MS, "BTCUSDT"), 1)
    remover.remove_files(lake, Day(NOV_1_MS, "BTCUSDT"))
    with closing(open_analytics_writer(lake)) as db, atomic(db):
        end = (NOV_1_MS + DAY_MS) // 1000
        db.execute("INSERT INTO progress VALUES (?, ?)", (removed_key(BARS, "1m"), end))
    for path in (lake.root / "bars").rglob("date=2026-11-01/day.parquet"):
        path.unlink()
