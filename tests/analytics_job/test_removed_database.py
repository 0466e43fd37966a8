"""Databases that are deleted, moved or replaced under the job: noticed, told, recovered from."""

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from analytics_job.job import AnalyticsJob
from spreadlake.errors import ServiceError
from spreadlake.lake import open_reader
from spreadlake.lake.databases.presence import Presence
from tests.analytics_job import harness
from tests.analytics_job.markets import walk

TRADES = walk(["AUSDT", "BUSDT"], 200, seed=5, per_second=1.5)
HALF = len(TRADES) // 2
CONFIG: dict[str, Any] = {
    "symbols": ["AUSDT", "BUSDT"],
    "windows": [20],
    "lookbacks": [50],
    "alerts": [{"name": "z", "window": 20, "threshold": 1.5}],
}


def remove_alone(lake: harness.TestLake) -> None:
    lake.lake.analytics_db.unlink()


def remove_all(lake: harness.TestLake) -> None:
    for path in lake.lake.root.glob("analytics.db*"):
        path.unlink()


def remove_log(lake: harness.TestLake) -> None:
    """What the log held is then nowhere."""
    for path in lake.lake.root.glob("analytics.db-*"):
        path.unlink()


def move(lake: harness.TestLake) -> None:
    lake.lake.analytics_db.rename(lake.lake.root / "elsewhere.db")


@pytest.mark.parametrize("remove", [remove_alone, remove_all, remove_log, move])
def test_the_analytics_are_computed_again_into_a_file_that_others_see(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, remove: Any
) -> None:
    lake = harness.TestLake(tmp_path / "lake")
    lake.store(TRADES[:HALF])
    job = AnalyticsJob(lake.lake, harness.settings(**CONFIG))
    job.step()
    remove(lake)
    lake.store(TRADES[HALF:])
    job.step()
    job.step()
    job.finish_tests()
    job.close()
    lake.close()
    told = [r for r in caplog.records if "was deleted or moved away" in r.getMessage()]
    assert len(told) == 1
    once = harness.run_job(tmp_path / "once", harness.settings(**CONFIG), [TRADES])
    once.close()
    assert lake.tables() == once.tables()


def test_a_lake_that_is_gone_is_told(tmp_path: Path) -> None:
    lake = harness.TestLake(tmp_path / "lake")
    lake.store(TRADES)
    job = AnalyticsJob(lake.lake, harness.settings(**CONFIG))
    job.step()
    lake.close()
    shutil.move(tmp_path / "lake", tmp_path / "moved")
    with pytest.raises(ServiceError, match="was moved or deleted while") as raised:
        job.step()
    assert raised.value.exit_code == 1  # under the supervisor it starts again
    assert not (tmp_path / "lake").exists()
    job.close()


@pytest.mark.parametrize("kept", [0, 30])
def test_ticks_that_begin_anew_are_taken_in_all_the_same(tmp_path: Path, kept: int) -> None:
    """Their sequence numbers were given before, to trades that are there no more."""
    lake = harness.TestLake(tmp_path)
    lake.store(TRADES[:HALF])
    job = AnalyticsJob(lake.lake, harness.settings(**CONFIG))
    job.step()
    lake.close()
    for path in tmp_path.glob("ticks.db*"):
        path.unlink()
    job.step()
    lake = harness.TestLake(tmp_path)
    lake.store(TRADES[HALF - kept : HALF + 40])
    job.step()
    assert job.error == ""
    lake.store(TRADES[HALF + 40 :])
    job.step()
    last = max(row["time"] for row in lake.table("bars") if row["timeframe"] == "1s")
    assert last == (TRADES[-1].time_ms - 250) // 1000 - 1
    job.close()
    lake.close()


def test_a_file_is_lost_when_its_name_stands_for_another(tmp_path: Path) -> None:
    lake = harness.TestLake(tmp_path)
    presence = Presence(lake.lake.ticks_db)
    lake.store(TRADES)
    with closing(open_reader(lake.lake.ticks_db)):
        assert (presence.lost, presence.replaced) == (False, False)
    copy = tmp_path / "copy"
    shutil.copy(lake.lake.ticks_db, copy)
    copy.replace(lake.lake.ticks_db)
    assert (presence.lost, presence.replaced) == (True, True)
    lake.lake.ticks_db.unlink()
    assert (presence.lost, presence.replaced) == (True, False)
    lake.close()
