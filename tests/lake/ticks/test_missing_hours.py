"""Parquet hours that somebody deleted or moved away: noticed, told, and recovered from."""

import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from analytics_job.job import AnalyticsJob
from spreadlake.errors import InputError, LakeError, MissingFileError
from spreadlake.lake import HOUR_MS, Lake, iter_trades, open_reader, open_ticks_writer, read_trades
from spreadlake.lake.ticks.rolls import Roll, missing_hours, newest_seq, record_rolls
from tests.analytics_job.harness import TestLake, settings
from tests.collector.lakes import PER_HOUR, START_MS, A, rows_of
from tests.collector.rolling import END_MS, roll_until, three_hours
from tests.importer.dumps import HOUR, MIDNIGHT, day_file, trades
from tests.importer.lakes import held, import_all, rolls, row
from tests.running import invoke
from tests.trades import TICKS, Trade

ROWS = trades(hours=4)
ETH = trades("ETHUSDT", hours=4, first_id=5)


@pytest.fixture(name="lake")
def imported(tmp_path: Path) -> Lake:
    """Two symbols, four hours of each, in Parquet."""
    import_all(tmp_path / "lake", day_file(tmp_path, ROWS), day_file(tmp_path, ETH))
    return Lake(tmp_path / "lake")


def hour(lake: Lake, number: int, symbol: str = "BTCUSDT") -> Path:
    return lake.tick_partition(symbol, MIDNIGHT + number * HOUR)


def status(lake: Lake) -> tuple[dict[str, Any], str]:
    as_json, told = (
        invoke("status", *form, "--data", "lake", cwd=lake.root.parent) for form in (["--json"], [])
    )
    return json.loads(as_json.stdout), " ".join(told.stdout.split())


def test_status_names_them_and_counts_them_as_gone(lake: Lake) -> None:
    report, told = status(lake)
    assert (report["missing"], report["ticks"]) == ([], 480)
    assert "gone" not in told
    for number in (1, 2):
        hour(lake, number).unlink()
    shutil.rmtree(lake.root / "ticks" / "symbol=ETHUSDT")
    report, told = status(lake)
    start = MIDNIGHT // 1000
    assert report["missing"] == [
        {"symbol": "BTCUSDT", "start": start + 3600, "end": start + 3 * 3600, "trades": 120},
        {"symbol": "ETHUSDT", "start": start, "end": start + 4 * 3600, "trades": 240},
    ]
    assert report["ticks"] == 120
    assert {one["symbol"]: one["ticks"] for one in report["symbols"]} == {
        "BTCUSDT": 120, "ETHUSDT": 0,
    }  # fmt: skip
    assert "BTCUSDT 2024-08-08T01:00:00Z 2024-08-08T03:00:00Z 120" in told
    assert "put these files back in ticks/, or import the dumps" in told


def test_a_reader_is_told_and_the_rest_can_be_read(lake: Lake) -> None:
    moved = hour(lake, 1).rename(lake.root / "away.parquet")
    for symbols in (None, ["BTCUSDT"], ["ETHUSDT", "BTCUSDT"]):
        with pytest.raises(MissingFileError) as raised:
            read_trades(lake, MIDNIGHT, MIDNIGHT + 4 * HOUR, symbols)
        assert "BTCUSDT 2024-08-08T01:00:00Z to 2024-08-08T02:00:00Z (60 trades)" in str(
            raised.value
        )
        assert "Put them back in their places, or import the dumps" in str(raised.value)
    with pytest.raises(MissingFileError):
        list(iter_trades(lake, MIDNIGHT, MIDNIGHT + 4 * HOUR))
    assert read_trades(lake, MIDNIGHT, MIDNIGHT + 4 * HOUR, ["ETHUSDT"]).height == 240
    assert read_trades(lake, MIDNIGHT, MIDNIGHT + HOUR).height == 120
    assert read_trades(lake, MIDNIGHT + 2 * HOUR, MIDNIGHT + 4 * HOUR).height == 240
    moved.rename(hour(lake, 1))
    assert read_trades(lake, MIDNIGHT, MIDNIGHT + 4 * HOUR).height == 480


def test_the_import_of_the_day_restores_them_and_says_so(lake: Lake, tmp_path: Path) -> None:
    job = AnalyticsJob(lake, config())
    job.step()
    before = tables(lake)
    told = {(symbol, start): seq for symbol, start, _, seq in rolls(lake.root)}
    for number in (0, 2):
        hour(lake, number).unlink()
    file = day_file(tmp_path / "again", ROWS)
    done = invoke("import", "--data", "lake", str(file), cwd=tmp_path)
    assert "0 trades; 240 were there already; restored 2 hours of Parquet" in done.stdout
    assert "nothing new" not in done.stdout
    assert held(lake.root) == ROWS + ETH
    assert row(lake.root, "SELECT sum(ticks) FROM symbols") == (480,)
    # The job is told of these hours once more: it may have been without them.
    again = [(s, at) for s, at, _, seq in rolls(lake.root) if seq > max(told.values())]
    assert sorted(again) == [("BTCUSDT", MIDNIGHT), ("BTCUSDT", MIDNIGHT + 2 * HOUR)]
    job.step()
    job.close()
    assert tables(lake) == before
    done = invoke("import", "--data", "lake", str(file), cwd=tmp_path)
    assert "nothing new" in done.stdout


def test_what_a_file_cannot_restore_is_told(lake: Lake, tmp_path: Path) -> None:
    hour(lake, 0).unlink()
    (imported,) = import_all(lake.root, day_file(tmp_path / "part", ROWS[:25]))
    assert (imported.restored, imported.not_restored) == (1, 35)
    assert row(lake.root, "SELECT ticks FROM symbols WHERE symbol = 'BTCUSDT'") == (205,)
    (imported,) = import_all(lake.root, day_file(tmp_path / "whole", ROWS))
    assert (imported.fresh, imported.restored) == (35, 0)
    assert row(lake.root, "SELECT ticks FROM symbols WHERE symbol = 'BTCUSDT'") == (240,)


def config() -> Any:
    return settings(symbols=["BTCUSDT", "ETHUSDT"], windows=[30], lookbacks=[60], timeframes=["1m"])


def tables(lake: Lake) -> dict[str, Any]:
    found = TestLake(lake.root)
    try:
        return {name: found.table(name) for name in ("bars", "pair_analytics", "pair_status")}
    finally:
        found.close()


def test_a_rebuild_is_refused_and_changes_nothing(lake: Lake) -> None:
    job = AnalyticsJob(lake, config())
    job.step()
    before = tables(lake)
    moved = hour(lake, 2).rename(lake.root / "away.parquet")
    for start in (None, MIDNIGHT // 1000 + 3600, MIDNIGHT // 1000 + 3 * 3600 - 1):
        with pytest.raises(LakeError, match="rebuild what comes after: --from 2024-08-08T03:00:0"):
            job.rebuild(start)
        assert tables(lake) == before
    job.rebuild(MIDNIGHT // 1000 + 3 * 3600)
    job.step()
    assert tables(lake) == before
    moved.rename(hour(lake, 2))
    job.rebuild(None)
    job.step()
    job.close()
    assert tables(lake) == before


def test_the_command_refuses_with_the_way_on(lake: Lake, tmp_path: Path) -> None:
    hour(lake, 2).unlink()
    ended = invoke("analyse", "--rebuild", "--data", str(lake.root), cwd=tmp_path)
    assert ended.returncode == 2
    assert "BTCUSDT 2024-08-08T02:00:00Z to 2024-08-08T03:00:00Z (60 trades)" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_job_waits_for_an_hour_that_it_has_not_read(lake: Lake) -> None:
    moved = hour(lake, 1).rename(lake.root / "away.parquet")
    job = AnalyticsJob(lake, config())
    job.step()
    assert "BTCUSDT 2024-08-08T01:00:00Z to" in job.error
    moved.rename(hour(lake, 1))
    job.step()
    assert job.error == ""
    job.close()
    found = TestLake(lake.root)
    counted = sum(one["trades"] for one in found.table("bars") if one["timeframe"] == "1m")
    found.close()
    assert counted == 480


def test_a_late_trade_does_not_hide_that_its_hour_is_gone(tmp_path: Path) -> None:
    lake = three_hours(tmp_path)
    roll_until(lake, END_MS)
    path = lake.tick_partition(A, START_MS)
    moved = path.rename(tmp_path / "away.parquet")
    late = Trade(A, 10**6, START_MS + 5, 1.0, 1.0, True)
    with closing(open_ticks_writer(lake)) as db:
        seq = newest_seq(db) + 1
        db.execute(f"INSERT INTO {TICKS} VALUES (?, ?, ?, ?, ?, ?, ?)", (seq, *late))
    with pytest.raises(LakeError, match="are gone: "):
        roll_until(lake, END_MS)
    assert rows_of(lake, "SELECT count(*) FROM ticks") == [(1,)]
    assert not path.exists()
    moved.rename(path)
    roll_until(lake, END_MS)
    with closing(open_reader(lake.ticks_db)) as db:
        assert missing_hours(db, lake) == []
    assert read_trades(lake, START_MS, START_MS + HOUR_MS, [A]).height == PER_HOUR + 1


def test_numbers_are_never_given_twice(tmp_path: Path) -> None:
    """An import was cut off after it recorded an hour, before it deleted that hour's hot rows."""
    lake = three_hours(tmp_path)
    with closing(open_ticks_writer(lake)) as db:
        before = newest_seq(db)
        record_rolls(db, [Roll(A, START_MS, 0, before + 500)], 0)
        assert newest_seq(db) == before + 500
    roll_until(lake, END_MS)
    with closing(open_ticks_writer(lake)) as db:
        assert newest_seq(db) == before + 500


def test_a_dump_that_contradicts_what_is_left_restores_nothing(lake: Lake, tmp_path: Path) -> None:
    hour(lake, 1).unlink()
    other = [*ROWS[:10], ROWS[10]._replace(price=1.5), *ROWS[11:]]
    with pytest.raises(InputError, match="contradicts the lake"):
        import_all(lake.root, day_file(tmp_path / "other", other))
    with closing(open_reader(lake.ticks_db)) as db:
        assert [one.hour_ms for one in missing_hours(db, lake)] == [MIDNIGHT + HOUR]
