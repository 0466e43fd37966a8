"""A damaged file of the archive costs itself: set aside, told, and computed again."""

import errno
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from analytics_job.job import AnalyticsJob
from spreadlake.errors import DamagedFileError, LakeError
from spreadlake.lake import Lake, open_reader, read_counters
from spreadlake.lake.analytics.archive import Piece, piece_of
from spreadlake.lake.reading import read_whole
from spreadlake.series import BARS, PAIR_TESTS
from spreadlake.status import report_on
from tests.analytics_job import harness
from tests.analytics_job.archiving import CONFIG, EPOCH_MS, merged, roll, trades

ROLLED: dict[str, Any] = {"storage": {"analytics_hours": {"1s": 1, "1m": 1}}}
EVERY = trades()
LATE = [*EVERY[100:140], *EVERY[399:402]]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a lake says that never rolled anything away."""
    lake = harness.TestLake(tmp_path_factory.mktemp("kept"))
    lake.store(EVERY)
    with closing(AnalyticsJob(lake.lake, harness.settings(**CONFIG, max_stale_bars=25))) as job:
        job.step()
        job.finish_tests()
    lake.close()
    return merged(lake)


def rolled(root: Path) -> tuple[harness.TestLake, AnalyticsJob]:
    """A lake without its late trades, as far as possible in the archive."""
    lake = harness.TestLake(root)
    lake.store([trade for trade in EVERY if trade not in LATE])
    job = AnalyticsJob(lake.lake, harness.settings(**CONFIG, **ROLLED, max_stale_bars=25))
    job.step()
    job.finish_tests()
    roll(job)
    return lake, job


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("no Parquet"),
    "empty": lambda path: path.write_bytes(b""),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "other columns": lambda path: pl.DataFrame({"a": [1]}).write_parquet(path),
    "a folder": folder_instead,
}


@pytest.mark.parametrize(
    ("table", "damage"),
    [("bars", "text"), ("pair_analytics", "cut short"), ("pair_tests", "a folder")],
)
def test_late_trades_that_need_it_find_it_computed_again(
    tmp_path: Path,
    kept: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    table: str,
    damage: str,
) -> None:
    lake, job = rolled(tmp_path)
    path = min(tmp_path.glob(f"{table}/timeframe=1s/*/date=*/*.parquet"))
    DAMAGE[damage](path)
    lake.store(LATE)
    job.step()
    job.finish_tests()
    roll(job)
    job.step()  # what retention found as it merged
    job.finish_tests()
    assert job.error == ""
    job.heartbeat.due = 0
    job.step()
    aside = path.with_name(f"{path.name}.damaged")
    told = [r.getMessage() for r in caplog.records if "set aside" in r.getMessage()]
    assert len(told) == 1
    assert str(path) in told[0]
    assert str(aside.relative_to(tmp_path)) in harness.job_status(lake)["archive"]
    (service,) = [s for s in report_on(lake.lake, 0.0).services if s.name == "analytics-job"]
    assert "damaged and set aside" in service.message
    with closing(open_reader(lake.lake.analytics_db)) as db:
        assert read_counters(db)["set_aside", ""] == 1
    assert aside.exists()
    assert {name: value for name, value in merged(lake).items() if name != "events"} == {
        name: value for name, value in kept.items() if name != "events"
    }
    aside.rmdir() if aside.is_dir() else aside.unlink()
    job.heartbeat.due = 0
    job.step()
    assert harness.job_status(lake)["archive"] == ""
    job.close()
    lake.close()


def test_a_start_that_meets_it_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A rule that is new, or was changed, looks at all rows while the job begins."""
    lake, job = rolled(tmp_path)
    job.close()
    rows = merged(lake)["rows"]
    path = min(tmp_path.glob("pair_analytics/timeframe=1s/*/date=*/*.parquet"))
    path.write_bytes(path.read_bytes()[:-100])
    rules = [CONFIG["alerts"][0] | {"threshold": 1.4}, CONFIG["alerts"][1]]
    settings = harness.settings(**CONFIG | {"alerts": rules}, **ROLLED, max_stale_bars=25)
    with closing(AnalyticsJob(lake.lake, settings)) as job:
        job.step()
        assert job.error == ""
        assert path.with_name(f"{path.name}.damaged").exists()
        assert any("set aside" in record.getMessage() for record in caplog.records)
        roll(job)
    assert merged(lake)["rows"] == rows
    lake.close()


def test_what_was_to_be_computed_again_survives_the_end_of_the_job(
    tmp_path: Path, kept: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, job = rolled(tmp_path)
    path = min(tmp_path.glob("bars/timeframe=1s/*/date=*/*.parquet"))
    path.write_text("no Parquet")
    lake.store(LATE)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("analytics_job.job.compute_again", killed)
        job._may_be_due = False
        with pytest.raises(KeyboardInterrupt):
            job.step()
    assert not path.exists()
    job.close()
    with closing(
        AnalyticsJob(lake.lake, harness.settings(**CONFIG, **ROLLED, max_stale_bars=25))
    ) as job:
        job.step()
        job.finish_tests()
    assert merged(lake)["rows"] == kept["rows"]
    lake.close()


def test_what_cannot_be_read_or_written_now_costs_no_other_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told until it can be, and its rows stay in SQLite meanwhile."""
    lake = harness.TestLake(tmp_path)
    lake.store(EVERY)
    job = AnalyticsJob(lake.lake, harness.settings(**CONFIG, **ROLLED))
    job.step()
    bad = Piece.at(BARS, "1s", "AUSDT", EPOCH_MS // 1000).path(lake.lake)
    replace = Path.replace

    def refuse(path: Path, target: Path) -> Path:
        if target == bad:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        roll(job)
        job.heartbeat.due = 0
        job.step()
        assert "not rolled to Parquet" in harness.job_status(lake)["archive"]
        assert "Permission denied" in harness.job_status(lake)["archive"]
    hot = [row for row in lake.table("bars") if row["timeframe"] == "1s"]
    hours = {(row["symbol"], (row["time"] * 1000 - EPOCH_MS) // 3_600_000) for row in hot}
    assert hours == {("AUSDT", 0), ("AUSDT", 4), ("BUSDT", 4), ("AUSDT", 3), ("BUSDT", 3)} & hours
    assert ("AUSDT", 0) in hours
    assert ("AUSDT", 1) not in hours
    roll(job)
    roll(job)
    job.heartbeat.due = 0
    job.step()
    assert harness.job_status(lake)["archive"] == ""
    assert bad.exists() or bad.with_name("day.parquet").exists()
    job.close()
    lake.close()


def test_a_piece_says_what_it_is(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for table, name in ((BARS, "AUSDT"), (PAIR_TESTS, "AUSDT/BUSDT")):
        for timeframe, size in (("1s", 3600), ("1h", 86_400)):
            start = EPOCH_MS // 1000 // size * size
            piece = Piece.at(table, timeframe, name, start + 1)
            assert piece == (table, timeframe, name, start, start + size)
            assert piece_of(lake, piece.path(lake)) == piece
    assert piece_of(lake, lake.tick_partition("AUSDT", EPOCH_MS)) is None


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_says_which_it_is_and_whether_trying_again_may_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], object]
) -> None:
    path = tmp_path / "00.parquet"
    pl.DataFrame({"b": range(1000)}).write_parquet(path)
    damage(path)
    with pytest.raises(DamagedFileError) as raised:
        read_whole(Lake(path.parent), path, pl.Schema({"c": pl.Int64}))
    assert (raised.value.path, raised.value.for_good) == (path, True)

    def many(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(pl, "scan_parquet", many)
    with pytest.raises(LakeError) as refused:
        read_whole(Lake(path.parent), path, pl.Schema({"c": pl.Int64}))
    assert isinstance(refused.value, DamagedFileError)
    assert not refused.value.for_good
