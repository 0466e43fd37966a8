"""Imports into a lake whose days are compacted: what is there stays, what is missing is added."""

from contextlib import closing
from pathlib import Path

import pytest

from analytics_job.job import AnalyticsJob
from spreadlake.errors import InputError
from spreadlake.lake import Lake, open_reader
from spreadlake.lake.ticks.rolls import missing_hours
from tests.analytics_job.harness import TestLake, settings
from tests.collector.compacting import compact
from tests.importer.dumps import DAY, HOUR, MIDNIGHT, day_file, trades
from tests.importer.lakes import held, import_all, partitions, rolls, row

ROWS = trades(hours=24)
SOME = [row for n, row in enumerate(ROWS) if n % 7]
DAY_FILE = "ticks/symbol=BTCUSDT/date=2024-08-08/day.parquet"


def compacted(root: Path, rows: list[object]) -> Lake:
    import_all(root / "lake", day_file(root, rows))  # type: ignore[arg-type]
    lake = Lake(root / "lake")
    assert compact(lake, MIDNIGHT + DAY) == 1
    return lake


def test_the_same_file_again_changes_nothing(tmp_path: Path) -> None:
    lake = compacted(tmp_path, [*ROWS])
    before = rolls(lake.root)
    (again,) = import_all(lake.root, day_file(tmp_path, ROWS))
    assert (again.records, again.fresh) == (len(ROWS), 0)
    assert partitions(lake.root) == [DAY_FILE]
    assert rolls(lake.root) == before
    assert held(lake.root) == ROWS


def test_what_the_day_lacks_stands_beside_it_until_it_is_compacted_again(tmp_path: Path) -> None:
    lake = compacted(tmp_path, [*SOME])
    (more,) = import_all(lake.root, day_file(tmp_path / "more", ROWS))
    assert more.fresh == len(ROWS) - len(SOME)
    assert held(lake.root) == ROWS
    assert row(lake.root, "SELECT ticks FROM symbols") == (len(ROWS),)
    assert row(lake.root, "SELECT total(rows), total(day_rows) FROM rolls") == (
        len(ROWS), len(SOME),
    )  # fmt: skip
    assert len(partitions(lake.root)) == 25
    assert compact(lake, MIDNIGHT + DAY) == 1
    assert partitions(lake.root) == [DAY_FILE]
    assert held(lake.root) == ROWS


def test_a_trade_that_contradicts_the_day_is_refused(tmp_path: Path) -> None:
    lake = compacted(tmp_path, [*ROWS])
    other = [*ROWS[:10], ROWS[10]._replace(price=1.5), *ROWS[11:]]
    with pytest.raises(InputError, match="contradicts the lake"):
        import_all(lake.root, day_file(tmp_path / "other", other))
    moved = [*ROWS[:10], ROWS[10]._replace(time_ms=ROWS[10].time_ms + HOUR), *ROWS[11:]]
    with pytest.raises(InputError, match="contradicts the lake"):
        import_all(lake.root, day_file(tmp_path / "moved", moved))
    assert held(lake.root) == ROWS


def test_a_day_s_file_that_is_gone_comes_back(tmp_path: Path) -> None:
    lake = compacted(tmp_path, [*ROWS])
    (lake.root / DAY_FILE).unlink()
    (back,) = import_all(lake.root, day_file(tmp_path, ROWS))
    assert back.restored == 24
    with closing(open_reader(lake.ticks_db)) as db:
        assert missing_hours(db, lake) == []
    assert held(lake.root) == ROWS
    assert compact(lake, MIDNIGHT + DAY) == 1
    assert held(lake.root) == ROWS


def test_the_job_makes_the_same_of_days_as_of_hours(tmp_path: Path) -> None:
    """The trades of rolled hours are read from the day's file, and rebuilt from it."""
    tables = []
    for name in ("hours", "days"):
        rows = trades(hours=2), trades("ETHUSDT", hours=2, first_id=5)
        root = tmp_path / name
        import_all(root, *(day_file(tmp_path / name, one) for one in rows))
        if name == "days":
            assert compact(Lake(root), MIDNIGHT + DAY) == 2
        job = AnalyticsJob(Lake(root), settings(timeframes=["1m"]))
        job.step()
        tables.append(bars_of(root))
        job.rebuild(None)
        job.step()
        job.close()
        tables.append(bars_of(root))
    assert len(tables[0]) > 200
    assert all(table == tables[0] for table in tables)


def bars_of(root: Path) -> list[object]:
    lake = TestLake(root)
    found = [one for one in lake.table("bars") if one["timeframe"] == "1m"]
    lake.close()
    return [*found]
