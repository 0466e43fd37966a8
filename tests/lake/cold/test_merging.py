"""Who merges into a finished day reads it from the bucket first, and loses nothing without it."""

from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from analytics_job.job import AnalyticsJob
from collector.roll import roll_all
from spreadlake.errors import LakeError
from spreadlake.lake import HOUR_MS, Lake, open_reader, read_trades
from spreadlake.lake.cold import reading
from spreadlake.lake.cold.address import ColdAddress
from spreadlake.lake.files import is_remote
from spreadlake.lake.ticks.kline_files import add_klines, klines_between
from spreadlake.lake.ticks.rolls import missing_hours
from spreadlake.schemas import KLINES_SCHEMA
from tests.analytics_job import harness
from tests.analytics_job.archiving import merged, roll, trades
from tests.cold_lakes import EPOCH_MS, SETTINGS, finished_lake, upload
from tests.collector.compacting import END_MS, all_trades, compact, late_trade, rolled_day
from tests.collector.lakes import A, fill, quick_writer
from tests.importer.dumps import day_file
from tests.importer.dumps import trades as dump_trades
from tests.importer.lakes import held, import_all
from tests.metered import Way
from tests.trades import Trade


@pytest.fixture
def way(way: Way, monkeypatch: pytest.MonkeyPatch) -> Way:
    monkeypatch.setattr(reading, "_REST", 0.1)
    return way


def roll_late(lake: Lake) -> None:
    with closing(quick_writer(lake)) as db:
        roll_all(lake, db, END_MS)


def test_a_late_trade_of_a_day_in_the_bucket(tmp_path: Path, cold: ColdAddress) -> None:
    lake = rolled_day(tmp_path)
    compact(lake)
    before = all_trades(lake)
    assert upload(lake, cold)
    fill(lake, [late_trade()])
    roll_late(lake)
    after = all_trades(lake)
    assert after.height == before.height + 1
    assert after.filter(pl.col("trade_id") != late_trade().trade_id).equals(before)
    day = lake.tick_day(A, late_trade().time_ms)
    assert is_remote(lake, day)
    compact(lake)
    assert day.exists()
    assert all_trades(lake).equals(after)
    assert upload(lake, cold) == [day]
    assert all_trades(lake).equals(after)
    with closing(open_reader(lake.ticks_db)) as db:
        assert missing_hours(db, lake) == []


def test_a_late_trade_waits_in_sqlite_for_a_bucket_that_is_away(
    tmp_path: Path, cold: ColdAddress, way: Way
) -> None:
    lake = rolled_day(tmp_path)
    compact(lake)
    before = all_trades(lake)
    upload(lake, cold)
    fill(lake, [late_trade()])
    way.status = 503
    with pytest.raises(LakeError, match="503"):
        roll_late(lake)
    with closing(open_reader(lake.ticks_db)) as db:
        assert db.execute("SELECT count(*) FROM ticks").fetchone() == (1,)
    way.status = None
    harness.wait_until(lambda: not reading._away)
    roll_late(lake)
    assert all_trades(lake).height == before.height + 1


def test_the_dump_of_a_day_in_the_bucket_is_imported_again(
    tmp_path: Path, cold: ColdAddress
) -> None:
    rows = dump_trades(hours=2)
    root = tmp_path / "lake"
    import_all(root, day_file(tmp_path / "some", rows[:100]))
    lake = Lake(root)
    compact(lake, rows[0].time_ms + 24 * HOUR_MS)
    assert upload(lake, cold)
    (imported,) = import_all(root, day_file(tmp_path / "all", rows))
    assert imported.fresh == len(rows) - 100
    assert held(root) == rows
    (again,) = import_all(root, day_file(tmp_path / "again", rows))
    assert again.fresh == 0


def test_rows_that_come_late_are_merged_into_a_day_in_the_bucket(
    tmp_path: Path, cold: ColdAddress
) -> None:
    def analysed(root: Path, *, moved: bool) -> dict[str, object]:
        lake, every = harness.TestLake(root), trades()
        lake.store([*every[:100], *every[140:]])
        job = AnalyticsJob(lake.lake, SETTINGS)
        job.step()
        job.finish_tests()
        roll(job)
        if moved:
            assert upload(lake.lake, cold)
        lake.store(every[100:140])
        job.step()
        job.finish_tests()
        roll(job)
        assert not job._not_rolled
        job.close()
        lake.close()
        return merged(lake)

    assert analysed(tmp_path / "bucket", moved=True) == analysed(tmp_path / "disk", moved=False)


def test_a_rebuild_of_days_in_the_bucket(tmp_path: Path, cold: ColdAddress) -> None:
    def rebuilt(root: Path, *, moved: bool) -> dict[str, object]:
        lake = finished_lake(root)
        if moved:
            assert upload(lake.lake, cold)
        job = AnalyticsJob(lake.lake, SETTINGS)
        job.rebuild(None)
        job.finish_tests()
        roll(job)
        job.close()
        lake.close()
        return merged(lake)

    assert rebuilt(tmp_path / "bucket", moved=True) == rebuilt(tmp_path / "disk", moved=False)


def test_klines_of_a_month_in_the_bucket(tmp_path: Path, cold: ColdAddress) -> None:
    lake, begin = harness.TestLake(tmp_path), EPOCH_MS // 1000 // 60 * 60

    def klines(minutes: range) -> pl.DataFrame:
        return pl.DataFrame(
            [("AUSDT", "1m", begin + 60 * n, *(100.0 + n,) * 4, 1.0, 2.0, 0.5, 3) for n in minutes],
            schema=KLINES_SCHEMA,
            orient="row",
        )

    add_klines(lake.lake, "AUSDT", klines(range(100)))
    assert upload(lake.lake, cold)
    add_klines(lake.lake, "AUSDT", klines(range(90, 150)))
    found = klines_between(lake.db, lake.lake, "AUSDT", 0, 2**33)
    assert found.equals(klines(range(150)))
    lake.close()


def come_back(way: Way, job: AnalyticsJob) -> None:
    """The bucket answers again, and the job does what waited for it."""
    way.silent = False
    way.over.set()
    harness.wait_until(lambda: not reading._away)
    job.history_seconds = None
    job._waiting.end()
    job.step()
    assert job.error == ""


def test_what_is_new_is_analysed_while_history_waits_for_the_bucket(
    tmp_path: Path, cold: ColdAddress, way: Way
) -> None:
    """Hours that are due lie in the bucket, which is away: live bars go on, and it is told."""
    lake = finished_lake(tmp_path)
    assert upload(lake.lake, cold)
    for path in (lake.lake.analytics_db, *tmp_path.glob("analytics.db-*")):
        path.unlink(missing_ok=True)  # all of it is due again
    way.silent = True
    job = AnalyticsJob(lake.lake, SETTINGS)
    job.history_seconds = 0.1
    job.step()
    assert "s3://" in job.error
    asked, end = len(way.requests), EPOCH_MS + 5 * HOUR_MS
    for second in range(30):
        lake.store(
            [
                Trade(symbol, 10_000 + second, end + second * 1000, 100.0, 1.0, False)
                for symbol in ("AUSDT", "BUSDT")
            ]
        )
        job.step()
        assert "s3://" in job.error
    (found,) = job._db.execute("SELECT count(*) FROM bars WHERE timeframe = '1s'").fetchone()
    assert found >= 2 * 25
    assert len(way.requests) <= asked + 4
    come_back(way, job)
    job.close()
    with closing(open_reader(lake.lake.analytics_db)) as db:
        (found,) = db.execute("SELECT min(time) FROM first_bars").fetchone()
    assert found == EPOCH_MS // 1000
    assert read_trades(lake.lake, EPOCH_MS, end).height == len(trades())
    lake.close()


def test_a_late_trade_of_a_day_in_the_bucket_holds_up_nothing_while_that_is_away(
    tmp_path: Path, cold: ColdAddress, way: Way
) -> None:
    """Its bars wait for the bucket; live ones do not. In the end they are as in one pass."""
    lake = finished_lake(tmp_path / "lake")
    assert upload(lake.lake, cold)
    end = EPOCH_MS + 5 * HOUR_MS
    live = [
        Trade(symbol, 10_000 + second, end + second * 1000, 100.0 + second % 7, 1.0, False)
        for second in range(90)
        for symbol in ("AUSDT", "BUSDT")
    ]
    late = Trade("AUSDT", 9_999, EPOCH_MS + HOUR_MS + 3_000, 300.0, 5.0, False)
    job = AnalyticsJob(lake.lake, SETTINGS)
    job.history_seconds = 1.0
    job.step()
    way.silent = True
    lake.store([*live[:60], late])
    job.step()
    asked = len(way.requests)
    lake.store(live[60:])
    job.step()
    assert "s3://" in job.error
    (found,) = job._db.execute("SELECT max(time) FROM bars WHERE timeframe = '1s'").fetchone()
    assert found >= live[-1].time_ms // 1000 - 3
    (counted,) = job._db.execute("SELECT value FROM counters WHERE name = 'late_trades'").fetchone()
    assert counted == 1
    assert len(way.requests) <= asked + 4
    come_back(way, job)
    job.finish_tests()
    job.close()
    other = harness.TestLake(tmp_path / "other")
    other.store([*trades(), *live, late])
    whole = AnalyticsJob(other.lake, SETTINGS)
    whole.step()
    whole.finish_tests()
    whole.close()
    found, wanted = merged(lake), merged(other)
    for name in ("bars", "rows", "csv", "status"):
        assert found[name] == wanted[name], name
    lake.close()
    other.close()
