"""The oldest days of archived bars and analytics go, by age and by size; who asks is told."""

import json
from pathlib import Path
from typing import Any

import pytest

import spreadlake
from analytics_job.archive.removal import Removal
from analytics_job.job import AnalyticsJob
from launcher.commands.series import column_names, iter_rows, refuse_removed
from spreadlake.config import Settings
from spreadlake.errors import InputError, RemovedError
from spreadlake.lake import atomic, set_status
from spreadlake.lake.analytics.definition import SeriesDefinition
from spreadlake.quant.screen import ScreenOptions
from spreadlake.research import ScreenRequest, computed_rows, take_screen
from tests.analytics_job import harness
from tests.analytics_job.archiving import CONFIG, EPOCH_MS, SERIES, merged, roll, trades
from tests.crashes import Crash, CrashError
from tests.rollups import kept_rollups
from tests.running import invoke
from tests.trades import Trade

MIDNIGHT = EPOCH_MS // 1000 + 2 * 3600  # of the second day that the lake has
FIRST, SECOND = "date=2023-11-14", "date=2023-11-15"
HOT_HOUR = {"analytics_hours": {"1s": 1, "1m": 1}}
BY_AGE = {"keep_days": {"bars": 1, "pair_analytics": 1}}


def later() -> list[Trade]:
    """Trades of two days later, with which the first day is older than it is kept."""
    start_ms = (MIDNIGHT + 86_400 + 1800) * 1000
    return [
        Trade(s, 10_000 + n, start_ms + n * 1000 + at, 100.0 + (n * 7919) % 13, 1.0, n % 2 == 0)
        for n in range(200)
        for at, s in enumerate(("AUSDT", "BUSDT"))
    ]


def config(**storage: Any) -> Settings:
    return harness.settings(**CONFIG, storage=storage)


def analysed(root: Path, settings: Settings) -> tuple[harness.TestLake, AnalyticsJob]:
    lake = harness.TestLake(root)
    job = AnalyticsJob(lake.lake, settings)
    for batch in (trades(), later()):
        lake.store(batch)
        job.step()
    job.finish_tests()
    return lake, job


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What readers find where nothing is removed."""
    lake, job = analysed(tmp_path_factory.mktemp("whole"), config(**HOT_HOUR))
    roll(job)
    job.close()
    found = rows_of(lake)
    lake.close()
    return found


def rows_of(lake: harness.TestLake) -> dict[str, Any]:
    """Bars, rows and tests, hot and cold as one; what asks for the removed time is left out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.analytics_job.archiving._csv_pieces", lambda _: iter(()))
        found = merged(lake)
    return {
        "bars": [row for rows in found["bars"] for row in rows],
        "rows": found["rows"],
        "tests": [row for rows in found["tests"] for row in rows],
    }


def since(rows: list[tuple[Any, ...]], second: int) -> list[tuple[Any, ...]]:
    """Those of a time from then on: it is the first value so great."""
    return [
        row for row in rows if next(v for v in row if isinstance(v, int) and v > 10**9) >= second
    ]


def days(root: Path, table: str) -> set[str]:
    return {path.name for path in root.glob(f"{table}/timeframe=*/*/date=*")}


def test_old_days_of_each_kind_go_from_parquet_and_the_rest_stays(
    tmp_path: Path, whole: dict[str, Any]
) -> None:
    lake, job = analysed(tmp_path, config(**HOT_HOUR, **BY_AGE))
    roll(job)
    job.close()
    for table, first in (("bars", SECOND), ("pair_analytics", SECOND), ("pair_tests", FIRST)):
        assert min(days(tmp_path, table)) == first, table
    found = rows_of(lake)
    for name in ("bars", "rows"):
        assert found[name] == since(whole[name], MIDNIGHT)
        assert 1000 < len(found[name]) < len(whole[name]) - 1000
    assert found["tests"] == whole["tests"]
    assert min(row["time"] for row in kept_rollups(lake.lake)) == MIDNIGHT
    firsts = {row["time"] for row in lake.table("first_bars")}
    assert firsts == {MIDNIGHT}
    lake.close()


def test_what_is_in_the_database_stays_however_old(tmp_path: Path, whole: dict[str, Any]) -> None:
    lake, job = analysed(tmp_path, config(analytics_hours={"1s": 1, "1m": 999}, **BY_AGE))
    roll(job)
    job.close()
    minutes = [row["time"] for row in lake.table("bars") if row["timeframe"] == "1m"]
    assert min(minutes) < MIDNIGHT
    assert rows_of(lake)["bars"] == since(whole["bars"], MIDNIGHT)
    # A later job does not look for anything before what there is, and keeps what is there.
    job = AnalyticsJob(lake.lake, config(analytics_hours={"1s": 1, "1m": 999}, **BY_AGE))
    job.step()
    roll(job)
    job.close()
    assert rows_of(lake)["bars"] == since(whole["bars"], MIDNIGHT)
    lake.close()


def test_what_the_collector_finds_no_room_for_goes(tmp_path: Path, whole: dict[str, Any]) -> None:
    lake, job = analysed(tmp_path, config(**HOT_HOUR))
    roll(job)
    assert rows_of(lake) == whole
    with atomic(lake.db):
        set_status(lake.db, 1, {"storage": {"bytes": {}, "remove_before": MIDNIGHT}})
    roll(job)
    job.close()
    assert {days(tmp_path, t) & {FIRST} == set() for t in ("bars", "pair_analytics")} == {True}
    assert days(tmp_path, "pair_tests").isdisjoint({FIRST})
    assert rows_of(lake)["rows"] == since(whole["rows"], MIDNIGHT)
    lake.close()


def test_a_crash_at_any_moment_of_it_leaves_what_the_next_pass_ends(
    tmp_path: Path, whole: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, job = analysed(tmp_path, config(**HOT_HOUR))
    roll(job)
    job.close()
    crash, crashes, finished = Crash(), 0, False
    for owner, name in ((Path, "unlink"), (Path, "rmdir"), (Removal, "_record")):
        monkeypatch.setattr(owner, name, crash.around(getattr(owner, name)))
    while not finished:
        job, crash.left = AnalyticsJob(lake.lake, config(**HOT_HOUR, **BY_AGE)), 1 + crashes
        try:
            roll(job)
            finished = True
        except CrashError:
            crashes += 1
        crash.left = 0
        job._db.close()
        found = rows_of(lake)
        for name in ("bars", "rows"):
            # Never less than what is kept, and of what goes no row is any other.
            assert since(found[name], MIDNIGHT) == since(whole[name], MIDNIGHT)
            assert set(found[name]) <= set(whole[name])
        assert found["tests"] == whole["tests"]
    assert crashes > 8
    assert FIRST not in days(tmp_path, "bars") | days(tmp_path, "pair_analytics")
    lake.close()


@pytest.fixture(name="removed", scope="module")
def removed_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("removed") / "lake"
    lake, job = analysed(root, config(**HOT_HOUR, **BY_AGE))
    roll(job)
    job.close()
    newest = later()[-1].time_ms
    lake.db.execute(f"INSERT INTO symbols VALUES ('AUSDT', 1, 2, {newest}, 1.0, 2)")
    lake.close()
    return root


TOLD = "before 2023-11-15T00:00:00Z were removed to make room"


def test_who_asks_for_a_time_that_is_gone_is_told(removed: Path) -> None:
    lake = harness.TestLake(removed)
    columns = column_names(lake.lake)
    refuse_removed(lake.lake, SERIES, MIDNIGHT, None)
    for start, end in ((MIDNIGHT - 1, None), (None, MIDNIGHT - 1), (0, MIDNIGHT + 50)):
        with pytest.raises(RemovedError, match=f"pair_analytics of 1s {TOLD}"):
            refuse_removed(lake.lake, SERIES, start, end)
    assert sum(map(len, iter_rows(lake.lake, SERIES, columns, MIDNIGHT, None))) > 1000
    definition, other = SeriesDefinition(30, 1e-4, 1e-3), SERIES._replace(window=45)
    with pytest.raises(RemovedError, match=f"bars of 1s {TOLD}"):
        list(computed_rows(lake.lake, other, definition, MIDNIGHT - 1))
    assert next(computed_rows(lake.lake, other, definition, MIDNIGHT)).height > 1000
    request = ScreenRequest("1m", ScreenOptions(lookback=60, window=30))
    with pytest.raises(RemovedError, match=f"bars of 1m {TOLD}"):
        take_screen(lake.lake, request, MIDNIGHT + 3599)
    assert take_screen(lake.lake, request, MIDNIGHT + 3600).symbols == ("AUSDT", "BUSDT")
    lake.close()


@pytest.mark.parametrize("window", [30, 65])
@pytest.mark.parametrize("start", [None, MIDNIGHT, MIDNIGHT + 600])
def test_screens_of_a_back_test_wait_for_their_bars(
    removed: Path, start: int | None, window: int
) -> None:
    lake = spreadlake.open(removed)
    found = lake.backtest_screen(start=start, lookback=60, window=window, every="1m")
    first = found.screens["time"].dt.epoch("s")[0]
    assert first == MIDNIGHT + 60 * max(60, window)
    with pytest.raises(RemovedError, match=f"bars of 1m {TOLD}"):
        lake.backtest_screen(start=MIDNIGHT - 60, lookback=60, every="1m")
    with pytest.raises(InputError, match="at any time: the first has its bars at 2023-11-15T01:00"):
        lake.backtest_screen(end=MIDNIGHT + 1800, lookback=60, every="1m")


def test_the_commands_say_so_in_a_sentence(removed: Path) -> None:
    series = ["--pair", "AUSDT/BUSDT", "--timeframe", "1s", "--lookback", 60, "--data", "lake"]
    for window in (30, 45):
        usual = ["csv", *series, "--window", window, "-o", "-"]
        ended = invoke(*usual, "--from", "2023-11-14T23:00Z", cwd=removed.parent)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert f"of 1s {TOLD}" in ended.stderr
        assert "ask for a time from then on" in ended.stderr
        ended = invoke(*usual, cwd=removed.parent)
        assert ended.returncode == 0
        assert f"rows {TOLD}" in ended.stderr
        assert ended.stdout.splitlines()[1] > "2023-11-15T00:00"
    ended = invoke("screen", "--at", "2023-11-15T00:10Z", "--lookback", 60, "--window", 30,
                   "--data", "lake", cwd=removed.parent)  # fmt: skip
    assert ended.returncode == 2
    assert f"bars of 1m {TOLD}" in ended.stderr


def test_storage_says_what_is_kept_and_what_goes_next(removed: Path) -> None:
    """Read by a configuration that keeps the tests for a day as well, and is out of room."""
    file = removed.parent / "spreadlake.toml"
    file.write_text(
        'symbols = ["AUSDT", "BUSDT"]\n[storage]\nmax_gib = 0.000001\n'
        "keep_days = {bars = 1, pair_tests = 1}\n"
    )
    told = invoke("storage", "--data", "lake", "--config", file, cwd=removed.parent)
    assert told.returncode == 0, told.stderr
    words = " ".join(told.stdout.split())
    assert "bars: kept 1 day, there from 2023-11-15 on" in words
    assert "pair_tests: kept 1 day, there from 2023-11-14 on; before 2023-11-15" in words
    assert "storage.max_gib = 1e-06:" in words
    for kind in ("ticks.db", "analytics.db", "pair_analytics", "largest symbols and pairs"):
        assert kind in words
    as_json = invoke("storage", "--data", "lake", "--config", file, "--json", cwd=removed.parent)
    report = json.loads(as_json.stdout)
    on_disk = sum(p.stat().st_size for p in removed.rglob("*") if p.is_file())
    kinds = {kind["kind"]: kind["bytes"] for kind in report["kinds"]}
    assert sum(kinds.values()) == report["bytes"]
    assert abs(report["bytes"] - on_disk) < 100_000, "a log comes and goes with its readers"
    keep = {one["kind"]: one for one in report["keep"]}
    assert keep["pair_tests"]["due_before"] == "2023-11-15"
    assert keep["pair_tests"]["due_bytes"] > 0
    assert keep["bars"]["first_day"] == "2023-11-15"
    assert report["growth_days"] >= 1
