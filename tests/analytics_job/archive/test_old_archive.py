"""Archives that older versions wrote: each reader takes them under today's schema, and the next."""

import sqlite3
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from analytics_job.job import AnalyticsJob
from spreadlake.lake import open_analytics_writer
from spreadlake.lake.databases import connections
from spreadlake.lake.databases.schema import ANALYTICS_STEPS
from tests.analytics_job import harness
from tests.analytics_job.archiving import CONFIG, merged, roll, trades
from tests.running import run

VERSION_1 = Path(__file__).parents[2] / "lake" / "versions" / "analytics_1.sql"
ARCHIVED = ("bars", "pair_analytics", "pair_tests")
NEXT_STEP = ";".join(f"ALTER TABLE {table} ADD COLUMN newest REAL" for table in ARCHIVED)


def first_columns(table: str) -> list[str]:
    """The columns that a table had when the first archives were written."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(VERSION_1.read_text(encoding="utf-8"))
        return [row[1] for row in db.execute(f"PRAGMA table_info({table})")]


def as_first_written(root: Path) -> int:
    """Rewrites every archived file as the first version did: with the columns that its path names,
    and without those that were added later; returns how many there are.
    """
    paths = [path for table in ARCHIVED for path in root.glob(f"{table}/**/*.parquet")]
    for path in paths:
        table, timeframe, name, *_ = path.relative_to(root).parts
        column, value = name.split("=")
        named = {column: value.replace("%2F", "/"), "timeframe": timeframe.split("=")[1]}
        frame = pl.read_parquet(path, hive_partitioning=False).with_columns(
            pl.lit(value).alias(key) for key, value in named.items()
        )
        frame.select(first_columns(table)).write_parquet(path)
    return len(paths)


@pytest.mark.parametrize("steps", [[], [NEXT_STEP]], ids=["today", "a column more"])
def test_readers_late_trades_alerts_and_retention_go_on_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: list[str]
) -> None:
    config = harness.settings(
        **CONFIG, max_stale_bars=25, storage={"analytics_hours": {"1s": 1, "1m": 1}}
    )
    every = trades()
    late = [*every[100:140], *every[399:402]]
    lake = harness.TestLake(tmp_path / "old")
    lake.store([trade for trade in every if trade not in late])
    job = AnalyticsJob(lake.lake, config)
    job.step()
    job.finish_tests()
    roll(job)
    job.close()
    assert as_first_written(lake.lake.root) > 10
    with closing(open_analytics_writer(lake.lake)) as db:  # nor did it know of later columns
        db.execute("UPDATE series SET definition = json_remove(definition, '$.columns')")
    monkeypatch.setattr(connections, "ANALYTICS_STEPS", [*ANALYTICS_STEPS, *steps])
    job = AnalyticsJob(lake.lake, config)
    lake.store(late)
    job.step()
    assert job.error == ""
    job.finish_tests()
    roll(job)
    assert job.error == ""
    job.close()
    lake.close()

    kept = harness.TestLake(tmp_path / "kept")
    kept.store(every)
    job = AnalyticsJob(kept.lake, harness.settings(**CONFIG, max_stale_bars=25))
    job.step()
    job.finish_tests()
    job.close()
    kept.close()
    assert merged(lake) == merged(kept)


def test_the_command_writes_csv_from_it(tmp_path: Path) -> None:
    """Here the lake has a column more than the command's own schema: it was added by hand."""
    lake = harness.TestLake(tmp_path)
    lake.store(trades())
    job = AnalyticsJob(
        lake.lake, harness.settings(**CONFIG, storage={"analytics_hours": {"1s": 1}})
    )
    job.step()
    roll(job)
    job.close()
    lake.close()
    as_first_written(tmp_path)
    with closing(open_analytics_writer(lake.lake)) as db:
        db.execute("ALTER TABLE pair_analytics ADD COLUMN newest REAL")
    wanted = "--pair A/B --timeframe 1s --window 30 -o -".replace("A/B", "AUSDT/BUSDT").split()
    ended = run("csv", "--data", tmp_path, *wanted, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    header, *lines = ended.stdout.splitlines()
    assert header.endswith(",newest,prices")
    assert len(lines) > 4 * 3600
    assert all(line.endswith(",,raw") for line in lines)
