"""Pair analytics on raw closes or on their logarithms: a lake changes over, and none are mixed."""

import csv
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest

from analytics_job.job import AnalyticsJob
from exporter.scrape import LakeMetrics, parts_of
from spreadlake.config import Settings
from spreadlake.lake import Lake, open_reader
from spreadlake.lake.analytics.rows import read_frame
from spreadlake.series import Prices, SeriesKey
from spreadlake.status import report_on
from tests.analytics_job import harness
from tests.analytics_job.archiving import CONFIG, merged, roll, trades
from tests.analytics_job.markets import EPOCH, walk
from tests.running import invoke

HOT = {"analytics_hours": {"1s": 1, "1m": 1}}
SYMBOLS = ["AUSDT", "BUSDT"]
SMALL: dict[str, Any] = {
    "symbols": SYMBOLS,
    "timeframes": ["1s"],
    "windows": [20],
    "lookbacks": [40],
    "job": {"tests_interval": 30},
}
KEY = SeriesKey("AUSDT/BUSDT", "1s", 20, 40)


def on(prices: Prices, **edit: Any) -> Settings:
    return harness.settings(**(SMALL | edit), prices=prices)


def archived(lake: Lake) -> dict[str, set[str]]:
    """Columns of the files of each archived table; each folder is one table to Polars."""
    found = {}
    for table in ("pair_analytics", "pair_tests"):
        pl.read_parquet(lake.root / table)
        files = list((lake.root / table).rglob("*.parquet"))
        assert files
        found[table] = {name for path in files for name in pl.read_parquet_schema(path)}
    return found


def test_a_lake_that_changes_over_and_back_is_as_if_it_had_been_so_from_the_start(
    tmp_path: Path,
) -> None:
    """With all of it in Parquet but the last hour, files of hours and of days."""
    every = trades()
    want = {}
    for prices in ("raw", "log"):
        lake = harness.TestLake(tmp_path / prices)
        lake.store(every)
        job = AnalyticsJob(lake.lake, harness.settings(**CONFIG, prices=prices))
        job.step()
        job.finish_tests()
        job.close()
        want[prices] = merged(lake)
        lake.close()
    assert want["raw"]["rows"] != want["log"]["rows"]
    lake = harness.TestLake(tmp_path / "changing")
    lake.store(every)
    for prices in ("raw", "log", "raw"):
        job = AnalyticsJob(lake.lake, harness.settings(**CONFIG, prices=prices, storage=HOT))
        job.step()
        job.finish_tests()
        roll(job)
        job.close()
        assert merged(lake) == want[prices]
        # As before there were others: what reads a folder as one table wants the same columns.
        of_logs = {table for table, names in archived(lake.lake).items() if "prices" in names}
        assert of_logs == ({"pair_analytics", "pair_tests"} if prices == "log" else set())
    lake.close()


def half_changed(root: Path) -> harness.TestLake:
    """A lake on raw closes whose job was killed when half of the rows were on logarithms."""
    lake = harness.TestLake(root)
    lake.store(walk(SYMBOLS, 400, seed=3, per_second=2.0))
    job = AnalyticsJob(lake.lake, on("raw"))
    job.step()
    job.finish_tests()
    job.close()
    job = AnalyticsJob(lake.lake, on("log"))
    hop, hops = job._history._hop, iter(range(3))

    def killed(*, live: bool) -> bool:
        if next(hops, None) is None:
            raise KeyboardInterrupt
        return hop(live=live)

    job._history._hop = killed  # type: ignore[method-assign]
    with patch("analytics_job.history.backfill._ROWS", 60), pytest.raises(KeyboardInterrupt):
        job.step()
    job._db.close()  # as a killed process leaves it
    return lake


def rows(lake: harness.TestLake) -> dict[int, dict[str, Any]]:
    return {row["time"]: row for row in lake.table("pair_analytics")}


@pytest.fixture(scope="module")
def wholly(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[int, dict[str, Any]]]:
    """The rows of a lake that was on one kind of prices from the start."""
    found = {}
    for prices in ("raw", "log"):
        root = tmp_path_factory.mktemp(prices)
        trades = walk(SYMBOLS, 400, seed=3, per_second=2.0)
        lake = harness.run_job(root, on(prices), [trades])
        found[prices] = rows(lake)
        lake.close()
    return found


def test_each_row_says_what_it_is_on_while_they_are_computed_again(
    tmp_path: Path, wholly: dict[str, dict[int, dict[str, Any]]]
) -> None:
    lake = half_changed(tmp_path)
    found = rows(lake)
    kinds = Counter(row["prices"] for row in found.values())
    assert min(kinds[None], kinds["log"]) > 100
    for time, row in found.items():
        assert row == wholly[row["prices"] or "raw"][time]
    job = AnalyticsJob(lake.lake, on("log"))
    job.step()
    job.finish_tests()
    job.close()
    assert rows(lake) == wholly["log"]
    assert {row["prices"] for row in lake.table("pair_tests")} == {"log"}
    lake.close()


def test_what_shows_the_newest_row_shows_the_new_kind_alone(
    tmp_path: Path, wholly: dict[str, dict[int, dict[str, Any]]]
) -> None:
    lake = half_changed(tmp_path)
    newest = wholly["log"][max(wholly["log"])]
    report = report_on(lake.lake, EPOCH + 400.0)
    assert report.prices == "log"
    assert [(pair.beta, pair.spread) for pair in report.pairs] == [
        (newest["beta"], newest["spread"])
    ]
    families = {family.name: family for family in LakeMetrics(lake.lake, parts_of(())).collect()}
    assert [s.labels for s in families["spreadlake_pair_prices_info"].samples] == [
        {"prices": "log"}
    ]
    (beta,) = families["spreadlake_pair_beta"].samples
    assert beta.value == newest["beta"]
    assert set(beta.labels) == {"pair", "timeframe", "window", "lookback"}
    assert not families["spreadlake_pair_half_life_bars"].samples, "those are raw still"
    # While it is not known, as in the moment before the newest row is there, nothing is said.
    with closing(sqlite3.connect(lake.lake.analytics_db)) as db, db:
        db.execute("UPDATE pair_analytics SET prices = NULL")
    (pair,) = report_on(lake.lake, EPOCH + 400.0).pairs
    assert (pair.beta, pair.spread, pair.zscore) == (None, None, None)
    lake.close()


def test_a_csv_says_which_rows_are_on_what(
    tmp_path: Path, wholly: dict[str, dict[int, dict[str, Any]]]
) -> None:
    half_changed(tmp_path / "lake").close()
    usual = ["csv", "--data", "lake", "--epoch", "--pair", KEY.pair]
    usual += ["--window", "20", "--lookback", "40"]
    ended = invoke(*usual, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "as the column prices says" in ended.stderr
    found = read(tmp_path / "AUSDT_BUSDT_1s_20_40.csv")
    kinds = Counter(row["prices"] for row in found)
    assert min(kinds["raw"], kinds["log"]) > 100
    for row in found:
        assert float(row["beta"]) == wholly[row["prices"]][int(row["time"])]["beta"]
    for prices in ("raw", "log"):
        ended = invoke(*usual, "--prices", prices, cwd=tmp_path)
        name = f"AUSDT_BUSDT_1s_20_40_{prices}.csv"
        assert ended.stderr.endswith(f", {prices} prices, to {name}\n")
        found = read(tmp_path / name)
        assert {row["prices"] for row in found} == {prices}
        betas = {int(row["time"]): float(row["beta"]) for row in found}
        assert betas == {time: row["beta"] for time, row in wholly[prices].items()}


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def meta(lake: harness.TestLake) -> str:
    return str({row["key"]: row["value"] for row in lake.table("meta")}["prices"])


def test_the_change_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lake = harness.run_job(tmp_path, on("raw"), [walk(SYMBOLS, 60, seed=3, per_second=2.0)])
    assert meta(lake) == "raw"
    changes: list[tuple[Prices, int]] = [("raw", 0), ("log", 1), ("log", 0), ("raw", 1)]
    for prices, told in changes:
        caplog.clear()
        AnalyticsJob(lake.lake, on(prices)).close()
        assert caplog.text.count("computed on") == told
        assert meta(lake) == prices
    lake.close()


def test_a_bar_without_a_logarithm_is_none_to_the_analytics(tmp_path: Path) -> None:
    """No exchange of ours has such a price: windows begin anew after it, and nothing falls over."""
    lake = harness.TestLake(tmp_path)
    klines = [
        (symbol, "1m", EPOCH + 60 * at, close, close, close, close, 1.0, 100.0, 0.5, 7)
        for n, symbol in enumerate(SYMBOLS)
        for at in range(120)
        for close in [0.0 if (n, at) == (1, 60) else 100.0 + (at * 7919 * (n + 1)) % 101 / 50]
    ]
    lake.store_klines(klines)
    job = AnalyticsJob(lake.lake, on("log", timeframes=["1m"], alerts=[]))
    job.step()
    job.finish_tests()
    job.close()
    with closing(open_reader(lake.lake.analytics_db)) as db:
        found = read_frame(db, lake.lake, KEY._replace(timeframe="1m"), 0, 2**40)
    minutes = [(time - EPOCH) // 60 for time in found["time"].to_list()]
    assert minutes == [*range(19, 60), *range(80, 120)]
    assert found["zscore"].is_finite().all()
    lake.close()


def test_a_lake_from_before_there_was_a_choice_is_on_raw_prices_and_nothing_is_computed_again(
    tmp_path: Path,
) -> None:
    lake = harness.run_job(tmp_path, on("raw"), [walk(SYMBOLS, 90, seed=3, per_second=2.0)])
    before = rows(lake)
    with closing(sqlite3.connect(lake.lake.analytics_db)) as db, db:
        db.execute("DELETE FROM meta WHERE key = 'prices'")
    assert report_on(lake.lake, EPOCH + 90.0).prices == "raw"
    with closing(AnalyticsJob(lake.lake, on("raw"))) as job:
        assert not lake.table("rows_due")
        job.step()
    assert rows(lake) == before
    with closing(sqlite3.connect(lake.lake.analytics_db)) as db, db:  # its job has not opened it
        db.execute("DELETE FROM meta WHERE key = 'prices'")
        for table in ("pair_analytics", "pair_tests"):
            db.execute(f"ALTER TABLE {table} DROP COLUMN prices")
    (pair,) = report_on(lake.lake, EPOCH + 90.0).pairs
    assert pair.beta == before[max(before)]["beta"]
    ended = invoke("csv", "--data", tmp_path, "-o", "old.csv", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert {row["prices"] for row in read(tmp_path / "old.csv")} == {"raw"}
    lake.close()
