"""Roll-ups of lakes that are older than they are, of archived rows, and how long they are kept."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from analytics_job.job import AnalyticsJob
from spreadlake.config import Settings
from tests.analytics_job import harness
from tests.analytics_job.archiving import CONFIG, EPOCH_MS, HOURS, roll, trades
from tests.paths import ROOT
from tests.rollups import expected_rollups, kept_rollups
from tests.trades import Trade

HOUR = {"1s": 1, "1m": 1}
EPOCH = EPOCH_MS // 1000
END = EPOCH + HOURS * 3600
BEFORE = ROOT / "tests" / "lake" / "versions" / "analytics_11.sql"
TABLES = "SELECT name FROM main.sqlite_master WHERE type = 'table'"
OF_1S = HOURS * 60  # less the one that is not over


def config(**storage: Any) -> Settings:
    return harness.settings(**CONFIG, storage={"analytics_hours": HOUR, **storage})


def later(second: int) -> list[Trade]:
    """A trade of each symbol at a second after the others."""
    return [
        Trade(symbol, 10_000 + second, (END + second) * 1000, 101.0 + second % 7, 1.0, False)
        for symbol in ("AUSDT", "BUSDT")
    ]


def of_before(lake: harness.TestLake) -> None:
    """Leaves what the version before roll-ups had of the database."""
    path = lake.lake.analytics_db
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    newer = path.rename(path.with_name("newer.db"))
    with closing(sqlite3.connect(path)) as db:
        db.executescript(BEFORE.read_text(encoding="utf-8"))
        db.execute("ATTACH ? AS newer", (str(newer),))
        for (table,) in db.execute(TABLES).fetchall():
            names = ", ".join(row[1] for row in db.execute(f"PRAGMA main.table_info({table})"))
            db.execute(f"INSERT OR REPLACE INTO {table}({names}) SELECT {names} FROM newer.{table}")
        db.execute("DELETE FROM progress WHERE key GLOB 'rollups*'")
        db.commit()
        db.execute("PRAGMA user_version = 11")
    newer.unlink()


def times(lake: harness.TestLake, timeframe: str) -> list[int]:
    return [row["time"] for row in kept_rollups(lake.lake) if row["timeframe"] == timeframe]


def first_of(lake: harness.TestLake) -> int:
    """Where it is on record that roll-ups of 1s bars begin."""
    return int(lake.table("progress WHERE key = 'rollups_from:1s'")[0]["value"])


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five hours of rows, four of them in Parquet."""
    lake = harness.TestLake(tmp_path_factory.mktemp("analysed"))
    lake.store(trades())
    job = AnalyticsJob(lake.lake, config())
    job.step()
    roll(job)
    job.close()
    lake.close()
    assert list(lake.lake.root.glob("pair_analytics/timeframe=1s/*/date=*/*.parquet"))
    return lake.lake.root


@pytest.fixture
def lake(analysed: Path, tmp_path: Path) -> Iterator[harness.TestLake]:
    lake = harness.TestLake(shutil.copytree(analysed, tmp_path / "lake"))
    yield lake
    lake.close()


def test_an_old_lake_gets_them_the_newest_first_while_new_trades_are_taken_in(
    lake: harness.TestLake,
) -> None:
    of_before(lake)
    job = AnalyticsJob(lake.lake, config())
    job.history_seconds = 0.01
    steps, firsts = 0, list[int]()
    while not firsts or lake.table("progress WHERE key GLOB 'rollups:*'"):
        lake.store(later(2 * steps))
        job.step()
        watermark = lake.table("progress WHERE key = 'watermark_ms'")[0]["value"]
        assert watermark == (END + 2 * steps) * 1000, "live comes first"
        firsts.append(min(times(lake, "1s"), default=END))
        steps += 1
        if steps == 3:  # it goes on where it was
            job.close()
            job = AnalyticsJob(lake.lake, config())
            job.history_seconds = 0.01
    assert len(set(firsts)) > 3
    assert firsts == sorted(firsts, reverse=True)
    assert kept_rollups(lake.lake) == expected_rollups(lake.lake)
    assert len(times(lake, "1s")) in (OF_1S - 1, OF_1S)
    job.close()


def test_analyse_gives_them_to_an_old_lake_at_once(lake: harness.TestLake) -> None:
    before = kept_rollups(lake.lake)
    of_before(lake)
    job = AnalyticsJob(lake.lake, config())
    job.step()
    job.close()
    assert kept_rollups(lake.lake) == before == expected_rollups(lake.lake)


def test_a_pair_that_is_followed_no_longer_gets_its_own(lake: harness.TestLake) -> None:
    before = kept_rollups(lake.lake)
    of_before(lake)
    job = AnalyticsJob(lake.lake, harness.settings(**CONFIG, pairs=[]))
    job.step()
    job.close()
    assert kept_rollups(lake.lake) == before


def test_late_trades_of_archived_rows_write_them_again(lake: harness.TestLake) -> None:
    before = kept_rollups(lake.lake)
    job = AnalyticsJob(lake.lake, config())
    lake.store(
        Trade(symbol, 20_000, (EPOCH + 5_030) * 1000 + 7, 107.0, 1.0, False)
        for symbol in ("AUSDT", "BUSDT")
    )
    job.step()
    after = kept_rollups(lake.lake)
    assert after == expected_rollups(lake.lake)
    changed = {row["time"] for row in after} - {row["time"] for row in after if row in before}
    assert {EPOCH + 4_980, EPOCH + 5_040} <= changed
    roll(job)
    assert kept_rollups(lake.lake) == expected_rollups(lake.lake) == after
    job.close()


def test_a_damaged_file_costs_itself(lake: harness.TestLake) -> None:
    before = kept_rollups(lake.lake)
    of_before(lake)
    path = next(lake.lake.root.glob("pair_analytics/timeframe=1s/*/date=*/*.parquet"))
    path.write_bytes(b"nothing of worth")
    job = AnalyticsJob(lake.lake, config())
    job.step()
    assert job.error == ""
    job.step()
    job.close()
    assert path.with_name(f"{path.name}.damaged").exists()
    assert kept_rollups(lake.lake) == before


def test_a_file_that_may_not_be_read_now_holds_nothing_up(
    lake: harness.TestLake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    of_before(lake)
    with monkeypatch.context() as patch:
        patch.setattr("polars.scan_parquet", _refused)
        job = AnalyticsJob(lake.lake, config())
        lake.store(later(1))
        job.step()
        assert job.error == ""
        job.close()
    assert "rolling up older pair analytics goes on after the next start" in caplog.text
    assert 0 < len(kept_rollups(lake.lake)) < len(expected_rollups(lake.lake))
    job = AnalyticsJob(lake.lake, config())
    job.step()
    job.close()
    assert kept_rollups(lake.lake) == expected_rollups(lake.lake)


def _refused(*_: Any, **__: Any) -> Any:
    raise PermissionError(13, "Permission denied")


def test_they_are_kept_longer_than_rows_and_not_for_ever(
    lake: harness.TestLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    hot = [row["time"] for row in lake.table("pair_analytics") if row["timeframe"] == "1s"]
    assert min(times(lake, "1s")) < min(hot) - 7000
    monkeypatch.setattr("spreadlake.lake.analytics.rollups.KEPT_SPANS", 150)
    job = AnalyticsJob(lake.lake, config())
    lake.store(later(30))
    job.step()
    roll(job)
    kept = [time for time in range(EPOCH, END, 60) if time >= END + 30 - 150 * 60]
    assert times(lake, "1s") == kept
    assert first_of(lake) == END + 30 - 150 * 60
    assert min(times(lake, "1m")) == EPOCH, "of 1m bars that is 150 hours"
    # Those of rows that SQLite keeps stay, and an older lake gets no more than are kept.
    of_before(lake)
    job.close()
    job = AnalyticsJob(lake.lake, config(analytics_hours={"1s": 4, "1m": 1}))
    for _ in range(2):
        job.step()
        assert END - 4 * 3600 - 60 < min(times(lake, "1s")) <= END - 4 * 3600 + 60
        assert END - 4 * 3600 - 60 < first_of(lake) <= END - 4 * 3600 + 60
        roll(job)
    job.close()
