"""Hours of archived bars and analytics become days: nothing lost, doubled or stale at any step."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

from analytics_job.job import AnalyticsJob
from spreadlake.lake.analytics.archive import piece_of
from tests.analytics_job import harness
from tests.analytics_job.archiving import CONFIG, merged, roll, trades

# Ten hours from 22:00 on: two of a day that ends, and the first of the next.
FIRST, SECOND = "date=2023-11-14", "date=2023-11-15"
SETTINGS = harness.settings(**CONFIG, storage={"analytics_hours": {"1s": 1, "1m": 1}})


def analysed(root: Path, late: int = 0) -> tuple[harness.TestLake, AnalyticsJob]:
    """A job that has taken in all trades, but for some of the first hour."""
    lake = harness.TestLake(root)
    every = trades()
    lake.store([*every[:100], *every[100 + late :]])
    job = AnalyticsJob(lake.lake, SETTINGS)
    job.step()
    job.finish_tests()
    return lake, job


def hours(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.glob("*/timeframe=1s/*/date=*/??.parquet"))


def days(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.glob(f"*/timeframe=1s/*/{FIRST}/*"))


def everything(lake: harness.TestLake) -> dict[str, Any]:
    found = merged(lake)
    del found["events"], found["status"]
    return found


def test_the_hours_of_a_day_that_is_over_become_one_file(tmp_path: Path) -> None:
    lake, job = analysed(tmp_path)
    before = everything(lake)
    roll(job)
    assert [path.split("/")[-1] for path in days(tmp_path)] == ["day.parquet"] * 4
    assert hours(tmp_path)
    assert all(f"/{SECOND}/" in path for path in hours(tmp_path))
    assert everything(lake) == before
    roll(job)
    job.close()
    assert everything(lake) == before
    lake.close()


def test_what_comes_late_is_merged_into_the_day(tmp_path: Path) -> None:
    lake, job = analysed(tmp_path, late=40)
    roll(job)
    assert len(days(tmp_path)) == 4
    lake.store(trades()[100:140])
    job.step()
    job.finish_tests()
    before = everything(lake)
    roll(job)
    assert [path.split("/")[-1] for path in days(tmp_path)] == ["day.parquet"] * 4
    assert everything(lake) == before
    found = pl.read_parquet(f"{tmp_path}/bars/**/*.parquet", hive_partitioning=True)
    assert not found.select("symbol", "timeframe", "time").is_duplicated().any()
    job.close()
    lake.close()
    kept, whole = analysed(tmp_path / "whole")
    assert everything(kept)["rows"] == before["rows"]
    whole.close()
    kept.close()


class CrashError(BaseException):
    """Ends the work as abruptly as a process can end itself."""


def test_a_crash_before_or_after_any_step_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, job = analysed(tmp_path)
    before, left = everything(lake), 0
    monkeypatch.setattr("analytics_job.archive.retention.Retention._compact", lambda _: False)
    roll(job)  # hours only
    monkeypatch.undo()
    job.close()
    assert len(days(tmp_path)) == 8

    def around(function: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **keywords: object) -> object:
            nonlocal left
            for after in (False, True):
                left -= 1
                if left == 0:
                    raise CrashError
                if not after:
                    result = function(*arguments, **keywords)
            return result

        return call

    crashes = 0
    while True:
        job = AnalyticsJob(lake.lake, SETTINGS)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", around(os.fsync))
            patch.setattr(Path, "replace", around(Path.replace))
            patch.setattr(Path, "unlink", around(Path.unlink))
            patch.setattr(pq.ParquetWriter, "write_table", around(pq.ParquetWriter.write_table))
            left = 5 * crashes + 1
            try:
                roll(job)
                break
            except CrashError:
                crashes += 1
        job.close()
        assert everything(lake) == before
    job.close()
    assert crashes > 5
    assert [path.split("/")[-1] for path in days(tmp_path)] == ["day.parquet"] * 4
    assert everything(lake) == before
    assert not list(tmp_path.glob(".*.tmp"))
    lake.close()


def test_a_damaged_day_is_set_aside_and_computed_again(tmp_path: Path) -> None:
    lake, job = analysed(tmp_path)
    before = everything(lake)
    roll(job)
    path = next(tmp_path.glob(f"bars/timeframe=1s/symbol=AUSDT/{FIRST}/day.parquet"))
    piece = piece_of(lake.lake, path)
    assert piece is not None
    assert piece.path(lake.lake) == path
    assert piece.end - piece.start == 86_400
    path.write_text("no Parquet")
    lake.store([trades()[0]._replace(trade_id=10**6)])
    for _ in range(3):
        job.step()
    assert path.with_name("day.parquet.damaged").exists()
    assert job.error == ""
    assert len(everything(lake)["bars"][0]) == len(before["bars"][0])
    roll(job)
    assert len(everything(lake)["bars"][0]) == len(before["bars"][0])
    job.close()
    lake.close()
