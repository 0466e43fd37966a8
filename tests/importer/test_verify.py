"""A lake against dumps: what is missing here, missing there and different, and why."""

import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from collector.roll.compactor import compact_all
from spreadlake.lake import Lake, open_ticks_writer
from spreadlake.lake.ticks.gaps import Gap, insert_gap
from spreadlake.trades import IdRange
from tests.collector.lakes import PER_HOUR, trade
from tests.importer.dumps import (
    DAY,
    HOUR,
    MIDNIGHT,
    day_file,
    kline_lines,
    trade_lines,
    trades,
    write_dump,
)
from tests.importer.lakes import import_all, partitions, rows, store_hot
from tests.lake.ticks.test_details import old_lake
from tests.running import invoke, run
from tests.trades import TICKS, Trade, as_trade

ROWS = trades(hours=3)
FIRST = ROWS[0].trade_id


def verified(root: Path, *files: Path, options: tuple[str, ...] = ()) -> tuple[int, Any]:
    """Exit code, and what the JSON says."""
    result = invoke("verify", *files, "--data", root, "--format", "json", *options, cwd=root)
    assert result.stderr == ""
    return result.returncode, json.loads(result.stdout)


def hours(told: Any) -> list[tuple[str, int, dict[str, int], int, dict[str, int]]]:
    """(hour, missing here, why, missing there, different by column) of the hours that differ."""
    return [
        (
            hour["time"][11:13],
            hour["missing_here"],
            hour["missing_here_by_reason"],
            hour["missing_there"],
            hour["different_by_column"],
        )
        for hour in told["hours"]
    ]


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    (tmp_path / "lake").mkdir()
    return tmp_path / "lake"


@pytest.mark.parametrize("hot", [0, 90, 180])
def test_what_is_equal_is_told_so_hot_or_cold(tmp_path: Path, lake: Path, hot: int) -> None:
    if hot < 180:
        import_all(lake, day_file(tmp_path / "some", ROWS[: 180 - hot]))
    if hot == 180:
        store_hot(lake, ROWS)
    elif hot:
        add_hot(lake, ROWS[180 - hot :])
    code, told = verified(lake, day_file(tmp_path, ROWS))
    assert (code, told["equal"], told["hours"], told["examples"]) == (0, True, [], [])
    assert [(one["dump"], one["lake"], one["equal"]) for one in told["files"]] == [(180, 180, 180)]


def add_hot(lake: Path, more: list[Trade]) -> None:
    """Trades in SQLite that follow on those of an import."""
    with closing(open_ticks_writer(Lake(lake))) as db:
        db.executemany(
            f"INSERT INTO {TICKS} VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(1000 + n, *trade) for n, trade in enumerate(more)],
        )
        db.execute("UPDATE symbols SET last_id = ?", (more[-1].trade_id,))


def lose(lake: Path, *lost: Trade) -> None:
    with closing(open_ticks_writer(Lake(lake))) as db:
        ids = [(trade.trade_id,) for trade in lost]
        db.executemany("DELETE FROM ticks WHERE trade_id = ?", ids)


def test_a_trade_that_nobody_missed_is_found_and_import_fills_it(
    tmp_path: Path, lake: Path
) -> None:
    store_hot(lake, ROWS)
    lose(lake, ROWS[70], ROWS[71])
    dump = day_file(tmp_path, ROWS)
    code, told = verified(lake, dump)
    assert code == 1
    assert hours(told) == [("01", 2, {"unexplained": 2}, 0, {})]
    assert told["examples"][0]["dump"]["trade_id"] == ROWS[70].trade_id
    assert told["examples"][0]["lake"] is None
    import_all(lake, dump)
    assert verified(lake, dump)[0] == 0


GAPS = [
    Gap(0, "BTCUSDT", IdRange(FIRST + 70, FIRST + 71), 1, "silence", "open"),
    Gap(0, "BTCUSDT", IdRange(FIRST + 80, FIRST + 84), 1, "jump", "lost", 1, "too old"),
    Gap(0, "BTCUSDT", IdRange(FIRST + 130, FIRST + 130), 1, "import", "lost", 1, "no file"),
]


def test_what_the_lake_knows_to_be_missing_is_told_apart(tmp_path: Path, lake: Path) -> None:
    """The lake began after 10 trades and ended 5 before the last; three gaps, and one silent."""
    store_hot(lake, ROWS[10:-5])
    gone = [n for gap in GAPS for n in range(gap.range.first - FIRST, gap.range.last - FIRST + 1)]
    lose(lake, ROWS[90], *(ROWS[n] for n in gone))
    with closing(open_ticks_writer(Lake(lake))) as db:
        for gap in GAPS:
            insert_gap(db, gap)
    dump = day_file(tmp_path, ROWS)
    code, told = verified(lake, dump)
    assert code == 1
    assert hours(told) == [
        ("00", 10, {"not_captured": 10}, 0, {}),
        ("01", 8, {"lost": 5, "open": 2, "unexplained": 1}, 0, {}),
        ("02", 6, {"not_captured": 5, "not_imported": 1}, 0, {}),
    ]
    assert verified(lake, dump, options=("--captured",))[0] == 1
    import_all(lake, dump)
    assert verified(lake, dump)[0] == 0


def test_what_was_not_captured_is_no_difference_where_that_is_asked_for(
    tmp_path: Path, lake: Path
) -> None:
    store_hot(lake, ROWS[10:-5])
    dump = day_file(tmp_path, ROWS)
    assert verified(lake, dump)[0] == 1
    code, told = verified(lake, dump, options=("--captured",))
    assert (code, told["equal"]) == (0, True)
    assert [hour[2] for hour in hours(told)] == [{"not_captured": 10}, {"not_captured": 5}]
    other = day_file(tmp_path, trades("ETHUSDT", hours=1))
    code, told = verified(lake, other, options=("--captured",))
    assert (code, told["files"][0]["in_the_lake"]) == (1, False)
    assert hours(told) == [("00", 60, {"not_captured": 60}, 0, {})]


DIFFERENT: dict[str, dict[str, Any]] = {
    "price": {"price": 1.5},
    "qty": {"qty": 7.0},
    "time_ms": {"time_ms": ROWS[100].time_ms + 1},
    "buyer_is_maker": {"buyer_is_maker": not ROWS[100].buyer_is_maker},
}


@pytest.mark.parametrize("column", DIFFERENT)
def test_another_value_is_told_by_its_column(tmp_path: Path, lake: Path, column: str) -> None:
    store_hot(lake, [*ROWS[:100], ROWS[100]._replace(**DIFFERENT[column]), *ROWS[101:]])
    code, told = verified(lake, day_file(tmp_path, ROWS))
    assert (code, hours(told)) == (1, [("01", 0, {}, 0, {column: 1})])
    [example] = told["examples"]
    assert example["dump"][column] != example["lake"][column]
    assert example["dump"]["trade_id"] == example["lake"]["trade_id"] == ROWS[100].trade_id


def test_a_trade_in_another_hour_has_another_time(tmp_path: Path, lake: Path) -> None:
    moved = ROWS[100]._replace(time_ms=ROWS[100].time_ms + HOUR)
    store_hot(lake, [*ROWS[:100], moved, *ROWS[101:]])
    code, told = verified(lake, day_file(tmp_path, ROWS))
    assert (code, hours(told)) == (1, [("01", 0, {}, 0, {"time_ms": 1})])


def test_single_trades_are_compared_where_both_know_them(tmp_path: Path, lake: Path) -> None:
    store_hot(lake, ROWS)
    dump = day_file(tmp_path, ROWS)
    with closing(open_ticks_writer(Lake(lake))) as db:
        db.execute("UPDATE ticks SET first_trade_id = 3 * trade_id, last_trade_id = 5 WHERE seq=7")
    code, told = verified(lake, dump)
    assert (code, hours(told)) == (1, [("00", 0, {}, 0, {"last_trade_id": 1})])


def test_what_only_the_lake_has(tmp_path: Path, lake: Path) -> None:
    later = ROWS[-1]._replace(trade_id=FIRST + 180, time_ms=MIDNIGHT + 20 * HOUR)
    store_hot(lake, [*ROWS, later])
    code, told = verified(lake, day_file(tmp_path, [*ROWS[:50], *ROWS[51:]]))
    assert (code, hours(told)) == (1, [("00", 0, {}, 1, {}), ("20", 0, {}, 1, {})])
    # What is after the dump's day is not its to say.
    store = [later._replace(trade_id=FIRST + 181, time_ms=MIDNIGHT + DAY)]
    add_hot(lake, store)
    assert len(hours(verified(lake, day_file(tmp_path, ROWS))[1])) == 1


def test_records_in_any_order_and_of_neighbouring_days(tmp_path: Path, lake: Path) -> None:
    """A record of yesterday evening may stand in today's dump; the rest of that day does not."""
    rows = trades(start_ms=MIDNIGHT - HOUR, hours=3)
    import_all(lake, day_file(tmp_path / "all", rows[:60]), day_file(tmp_path / "all", rows[60:]))
    dump = write_dump(
        tmp_path, "BTCUSDT-aggTrades-2024-08-08.zip", trade_lines([*rows[59:][::-1], rows[70]])
    )
    code, told = verified(lake, dump)
    assert (code, hours(told)) == (0, [])
    assert told["files"][0]["equal"] == 121


def test_a_file_of_the_lake_that_is_gone_is_told_and_the_rest_compared(
    tmp_path: Path, lake: Path
) -> None:
    dump = day_file(tmp_path, ROWS)
    import_all(lake, dump)
    Lake(lake).tick_partition("BTCUSDT", MIDNIGHT + HOUR).unlink()
    Lake(lake).tick_partition("BTCUSDT", MIDNIGHT + 2 * HOUR).write_bytes(b"PAR1")
    code, told = verified(lake, dump)
    gone = {"file_gone": 60}
    assert (code, hours(told)) == (1, [("01", 60, gone, 0, {}), ("02", 60, gone, 0, {})])
    assert len(told["files"][0]["unreadable"]) == 2
    assert "spreadlake import" in told["files"][0]["unreadable"][0]


def test_a_day_in_one_file_is_read_as_its_hours_are(tmp_path: Path, lake: Path) -> None:
    dump = day_file(tmp_path, ROWS)
    import_all(lake, dump)
    with closing(open_ticks_writer(Lake(lake))) as db:
        assert compact_all(Lake(lake), db, MIDNIGHT + 3 * DAY) == 1
    day = Lake(lake).tick_day("BTCUSDT", MIDNIGHT)
    assert partitions(lake) == [str(day.relative_to(lake))]
    assert verified(lake, dump)[0] == 0
    day.write_bytes(b"PAR1")
    code, told = verified(lake, dump)
    assert (code, [hour[2] for hour in hours(told)]) == (1, [{"file_gone": 60}] * 3)
    assert len(told["files"][0]["unreadable"]) == 1


def test_records_without_a_quantity_are_no_trades(tmp_path: Path, lake: Path) -> None:
    some = [row._replace(qty=0.0) if n % 3 == 0 else row for n, row in enumerate(ROWS)]
    dump = day_file(tmp_path, some)
    import_all(lake, dump)
    code, told = verified(lake, dump)
    assert (code, told["files"][0]["dump"]) == (0, 120)


def test_it_is_a_table_for_people(tmp_path: Path, lake: Path) -> None:
    store_hot(lake, [*ROWS[:100], ROWS[100]._replace(price=1.5), *ROWS[101:]])
    lose(lake, ROWS[70])
    dump = day_file(tmp_path, ROWS)
    result = run("verify", dump, "--data", lake, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (1, "")
    lines = result.stdout.splitlines()
    assert lines[0] == (
        "BTCUSDT-aggTrades-2024-08-08.zip: 178 of 180 trades equal, 1 missing here (though the "
        "lake says that it has them), 1 different (price 1)"
    )
    assert lines[2].split() == [
        *("BTCUSDT", "2024-08-08T01:00:00Z", "60", "59", "1", "0", "1"),
        *("unexplained", "1,", "price", "1"),
    ]
    assert f"BTCUSDT trade {ROWS[70].trade_id}: dump time_ms {ROWS[70].time_ms}" in lines[4]
    assert lines[4].endswith("; lake nothing")
    assert lines[-2] == "different; what is missing here is filled by"
    assert lines[-1].endswith(f"spreadlake import {dump} --data {lake}")
    equal = day_file(tmp_path / "rest", ROWS[120:])
    lose(lake, *ROWS[:120])
    result = invoke("verify", equal, "--data", lake, cwd=tmp_path)
    assert (result.returncode, result.stdout.splitlines()[-1]) == (
        0,
        "equal: nothing is missing, and nothing is different",
    )


REFUSED = {
    "klines": ("BTCUSDT-1m-2024-08-08.zip", r"holds no trades: .*BTCUSDT-aggTrades-2024-08-08"),
    "single trades": ("BTCUSDT-trades-2024-08-08.zip", "holds single trades"),
    "funding": ("BTCUSDT-fundingRate-2024-08.zip", "fundingRate|no trades"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_dump_of_trades_is_refused(tmp_path: Path, lake: Path, what: str) -> None:
    name, message = REFUSED[what]
    store_hot(lake, ROWS[:1])
    file = write_dump(tmp_path, name, kline_lines(count=2))
    result = invoke("verify", file, "--data", lake, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert re.search(message, result.stderr)


def test_without_a_lake_or_a_whole_file_there_is_nothing_to_compare(
    tmp_path: Path, lake: Path
) -> None:
    dump = day_file(tmp_path, ROWS)
    result = invoke("verify", dump, "--data", tmp_path / "none", cwd=tmp_path)
    assert (result.returncode, "no lake in" in result.stderr) == (2, True)
    store_hot(lake, ROWS)
    dump.write_bytes(dump.read_bytes()[:300])
    result = invoke("verify", dump, "--data", lake, cwd=tmp_path)
    assert (result.returncode, "download it again" in result.stderr) == (2, True)


def test_a_lake_of_before_the_details_is_compared_as_it_is(tmp_path: Path, lake: Path) -> None:

    old = old_lake(tmp_path / "old")
    lines = trade_lines([as_trade(trade(n)) for n in range(PER_HOUR)])
    day = write_dump(tmp_path, "BTCUSDT-aggTrades-2023-11-14.csv", lines)
    code, told = verified(old.root, day)
    assert (code, told["files"][0]["equal"]) == (0, 180)
    assert rows(old.root, "PRAGMA user_version") == [(2,)]
