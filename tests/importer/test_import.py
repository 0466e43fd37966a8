from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from importer import hour_writer
from importer.hours import HourBuffer
from spreadlake.errors import InputError, LakeError
from spreadlake.lake import HOUR_MS, Lake, atomic, claim, open_ticks_writer, writer_lock
from spreadlake.lake.ticks.partitions import hot_trades
from spreadlake.trades import TICK_COLUMNS
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
from tests.importer.lakes import gaps, held, import_all, partitions, rolls, row, store_hot
from tests.trades import TICKS, Trade

HOURS = 4
ROWS = trades(hours=HOURS)
NEXT = trades(start_ms=MIDNIGHT + DAY, hours=HOURS, first_id=ROWS[-1].trade_id + 1)
ETH = trades("ETHUSDT", hours=HOURS, first_id=5)


def test_a_day_becomes_an_hour_to_a_partition(tmp_path: Path) -> None:
    (imported,) = import_all(tmp_path / "lake", day_file(tmp_path, ROWS))
    assert (imported.records, imported.fresh) == (240, 240)
    assert held(tmp_path / "lake") == ROWS
    assert partitions(tmp_path / "lake") == [
        f"ticks/symbol=BTCUSDT/date=2024-08-08/{hour:02}.parquet" for hour in range(HOURS)
    ]
    assert row(tmp_path / "lake", "SELECT count(*) FROM ticks") == (0,)


def test_a_partition_is_as_the_collector_writes_it(tmp_path: Path) -> None:
    import_all(tmp_path / "lake", day_file(tmp_path, ROWS))
    path = Lake(tmp_path / "lake").tick_partition("BTCUSDT", MIDNIGHT + 2 * HOUR)
    frame = pl.read_parquet(path, hive_partitioning=False)
    assert frame.columns == list(TICK_COLUMNS[1:])
    assert [Trade("BTCUSDT", *values[:5]) for values in frame.rows()] == ROWS[120:180]
    # Of the later columns a dump has two.
    assert [values[5:] for values in frame.rows()] == [
        (3 * trade.trade_id, 3 * trade.trade_id + 2, None, None) for trade in ROWS[120:180]
    ]


def test_the_lake_knows_the_symbol_and_the_job_is_told_each_hour_once(tmp_path: Path) -> None:
    import_all(tmp_path / "lake", day_file(tmp_path, ROWS))
    last = ROWS[-1]
    assert row(tmp_path / "lake", "SELECT * FROM symbols") == (
        "BTCUSDT", 2_000_000, last.trade_id, last.time_ms, last.price, 240,
    )  # fmt: skip
    assert rolls(tmp_path / "lake") == [
        ("BTCUSDT", MIDNIGHT + n * HOUR, 60, 60 * (n + 1)) for n in range(HOURS)
    ]
    assert gaps(tmp_path / "lake") == []


def test_importing_again_changes_nothing(tmp_path: Path) -> None:
    lake, file = tmp_path / "lake", day_file(tmp_path, ROWS)
    import_all(lake, file)
    before = (held(lake), rolls(lake), row(lake, "SELECT * FROM symbols"), stamps(lake))
    (imported,) = import_all(lake, file)
    assert (imported.records, imported.fresh) == (240, 0)
    assert (held(lake), rolls(lake), row(lake, "SELECT * FROM symbols"), stamps(lake)) == before


def test_a_day_and_its_month_are_the_same_trades(tmp_path: Path) -> None:
    month = write_dump(tmp_path, "BTCUSDT-aggTrades-2024-08.zip", trade_lines(ROWS + NEXT))
    lake = tmp_path / "lake"
    results = import_all(lake, day_file(tmp_path, ROWS), month)
    # The month begins earlier, so it is taken first.
    assert [result.fresh for result in results] == [480, 0]
    assert held(lake) == ROWS + NEXT


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    file = day_file(tmp_path, ROWS)
    assert len(import_all(tmp_path / "lake", file, file)) == 1


def test_trades_in_no_order_are_the_same_lake(tmp_path: Path) -> None:
    mixed = [ROWS[n * 7 % 240] for n in range(240)]
    import_all(tmp_path / "lake", write_dump(tmp_path, DAY_CSV, trade_lines(mixed)))
    assert held(tmp_path / "lake") == ROWS
    assert gaps(tmp_path / "lake") == []


DAY_CSV = "BTCUSDT-aggTrades-2024-08-08.csv"


def test_an_hour_in_several_pieces_is_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importer.reader.PIECE_BYTES", 2048)
    monkeypatch.setattr("importer.run.HourBuffer", lambda: HourBuffer(most_rows=50))
    store_hot(tmp_path / "lake", ROWS[60:110])
    (imported,) = import_all(tmp_path / "lake", day_file(tmp_path, ROWS))
    assert imported.fresh == 190
    assert held(tmp_path / "lake") == ROWS
    assert row(tmp_path / "lake", "SELECT ticks FROM symbols") == (240,)
    assert sum(rows for _, _, rows, _ in rolls(tmp_path / "lake")) == 240


def test_hot_rows_of_an_hour_move_to_its_partition(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    store_hot(lake, ROWS[70:160])
    (imported,) = import_all(lake, day_file(tmp_path, ROWS))
    assert imported.fresh == 240 - 90
    assert held(lake) == ROWS
    assert row(lake, "SELECT count(*) FROM ticks") == (0,)
    assert row(lake, "SELECT first_id, last_id, ticks FROM symbols") == (
        ROWS[0].trade_id, ROWS[-1].trade_id, 240,
    )  # fmt: skip
    # Never below a seq that was given before: the job would not look there again.
    assert [seq for *_, seq in rolls(lake)] == [90 + 60 * (n + 1) for n in range(HOURS)]


def test_hot_rows_that_the_file_does_not_have_are_kept(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    store_hot(lake, ROWS[70:160])
    import_all(lake, day_file(tmp_path, ROWS[:110]))
    assert held(lake) == ROWS[:160]
    assert gaps(lake) == []


def test_hours_that_join_the_lake_backwards_are_told_newest_first(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    import_all(lake, day_file(tmp_path, NEXT))
    import_all(lake, day_file(tmp_path, ROWS), day_file(tmp_path, ETH))
    order = [(symbol, (hour - MIDNIGHT) // HOUR) for symbol, hour, *_ in rolls(lake)]
    assert order[:HOURS] == [("BTCUSDT", hour) for hour in range(24, 24 + HOURS)]
    for symbol in ("BTCUSDT", "ETHUSDT"):
        later = [hour for name, hour in order[HOURS:] if name == symbol]
        assert later == list(range(HOURS))[::-1]


def test_days_that_are_missing_between_are_on_record_until_they_come(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    third = trades(start_ms=MIDNIGHT + 2 * DAY, hours=1, first_id=NEXT[-1].trade_id + 1)
    import_all(lake, day_file(tmp_path, ROWS), day_file(tmp_path, third))
    assert gaps(lake) == [(NEXT[0].trade_id, NEXT[-1].trade_id, "lost", "import")]
    import_all(lake, day_file(tmp_path, NEXT))
    assert gaps(lake) == []
    assert held(lake) == ROWS + NEXT + third


def test_a_gap_of_the_collector_is_repaired_by_a_file(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    store_hot(lake, ROWS[:100] + ROWS[200:])
    with_gap = open_ticks_writer(Lake(lake))
    with_gap.execute(
        "INSERT INTO gaps(symbol, first_id, last_id, found_ms, cause, state, message) "
        "VALUES ('BTCUSDT', ?, ?, 1, 'reconnect', 'lost', 'too old')",
        (ROWS[100].trade_id, ROWS[199].trade_id),
    )
    with_gap.close()
    half = write_dump(tmp_path, DAY_CSV, trade_lines(ROWS[:150]))
    import_all(lake, half)
    assert gaps(lake) == [
        (ROWS[100].trade_id, ROWS[149].trade_id, "repaired", "reconnect"),
        (ROWS[150].trade_id, ROWS[199].trade_id, "lost", "reconnect"),
    ]
    import_all(lake, day_file(tmp_path, ROWS))
    assert gaps(lake) == [(ROWS[100].trade_id, ROWS[199].trade_id, "repaired", "reconnect")]
    assert held(lake) == ROWS


def test_what_sqlite_has_counts_where_a_partition_has_another_trade(tmp_path: Path) -> None:
    """As every reader of both sees it; and only what SQLite says of its rows may replace them."""
    lake, first_hour = tmp_path / "lake", ROWS[:60]
    import_all(lake, day_file(tmp_path / "first", first_hour[:30]))
    other = first_hour[10]._replace(price=1.5)
    with closing(open_ticks_writer(Lake(lake))) as db, atomic(db):
        db.execute(f"INSERT INTO {TICKS} VALUES (900, ?, ?, ?, ?, ?, ?)", other)
    seen = held(lake)
    assert other in seen
    import_all(lake, day_file(tmp_path / "second", first_hour[30:]))
    assert held(lake) == sorted({*seen, *first_hour[30:]})
    assert row(lake, "SELECT count(*) FROM ticks") == (0,)


def test_rows_that_did_not_reach_their_partition_stay_hot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = tmp_path / "lake"
    store_hot(lake, ROWS[:30])
    monkeypatch.setattr(hour_writer, "hot_trades", lambda *asked: hot_trades(*asked).head(-1))
    with pytest.raises(LakeError, match=r"00\.parquet would not hold what SQLite does"):
        import_all(lake, day_file(tmp_path, ROWS[40:]))
    assert partitions(lake) == []
    assert held(lake) == ROWS[:30]


OTHERS: dict[str, Any] = {
    "price": {"price": 1.5},
    "qty": {"qty": 7.0},
    "time": {"time_ms": ROWS[100].time_ms + 1},
    "side": {"buyer_is_maker": not ROWS[100].buyer_is_maker},
    "hour": {"time_ms": ROWS[100].time_ms + HOUR},
}


@pytest.mark.parametrize("where", ["hot", "cold"])
@pytest.mark.parametrize("differs", OTHERS)
def test_another_trade_by_the_same_id_is_refused(tmp_path: Path, where: str, differs: str) -> None:
    lake, victim = tmp_path / "lake", ROWS[100]
    other = victim._replace(**OTHERS[differs])
    if where == "hot":
        store_hot(lake, [*ROWS[:100], other])
    else:
        import_all(lake, day_file(tmp_path / "first", [*ROWS[:100], other, *ROWS[101:]]))
    before = held(lake)
    with pytest.raises(InputError) as caught:
        import_all(lake, day_file(tmp_path / "second", ROWS))
    message = str(caught.value)
    assert "second/BTCUSDT-aggTrades-2024-08-08.zip contradicts the lake" in message
    assert f"trade {victim.trade_id} is price {victim.price}, qty {victim.qty}" in message
    assert "in the file, and" in message
    assert f"price {other.price}, qty {other.qty}" in message
    assert [trade for trade in held(lake) if trade in before] == before
    assert row(lake, "SELECT ticks FROM symbols") == (len(held(lake)),)


def test_a_file_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    rows = [*ROWS[:10], ROWS[5]._replace(price=1.5), ROWS[5]]
    with pytest.raises(InputError, match=r"trade 2000005 is there twice: .*price 1\.5"):
        import_all(tmp_path / "lake", day_file(tmp_path, rows))


def test_a_trade_that_a_file_has_in_two_hours_is_refused(tmp_path: Path) -> None:
    rows = [*ROWS[:200], ROWS[5]._replace(time_ms=ROWS[200].time_ms), *ROWS[200:]]
    with pytest.raises(InputError, match=r"trade 2000005 is .*T03:20:00.* and .*T00:05:00"):
        import_all(tmp_path / "lake", day_file(tmp_path, rows))
    assert held(tmp_path / "lake") == ROWS[:180]


@pytest.mark.parametrize("suffix", ["zip", "csv"])
def test_nothing_of_a_file_with_a_wrong_line_is_taken(tmp_path: Path, suffix: str) -> None:
    lines = [*trade_lines(ROWS), "2000240,0,1,1,1,1723089600000,true"]
    file = write_dump(tmp_path, f"BTCUSDT-aggTrades-2024-08-08.{suffix}", lines)
    with pytest.raises(InputError, match=r"price 0\.0, .*nothing of this file was taken"):
        import_all(tmp_path / "lake", file)
    assert partitions(tmp_path / "lake") == []
    assert row(tmp_path / "lake", "SELECT count(*) FROM symbols") == (0,)


def test_what_is_named_and_is_no_dump_is_told(tmp_path: Path) -> None:
    for path, said in {
        tmp_path: r"is a folder; name the files in it, such as .*/\*\.zip",
        tmp_path / "*.zip": r"\*\.zip matches no file, or the \* is in quotes",
    }.items():
        with pytest.raises(InputError, match=said):
            import_all(tmp_path / "lake", path)
    assert not (tmp_path / "lake").exists()


def test_a_partition_that_somebody_deleted_comes_back(tmp_path: Path) -> None:
    lake, file = tmp_path / "lake", day_file(tmp_path, ROWS)
    import_all(lake, file)
    Lake(lake).tick_partition("BTCUSDT", MIDNIGHT + 2 * HOUR).unlink()
    with pytest.raises(LakeError, match="are gone: BTCUSDT 2024-08-08T02:00:00Z to"):
        held(lake)
    (imported,) = import_all(lake, file)
    assert (imported.fresh, imported.restored, imported.not_restored) == (0, 1, 0)
    assert held(lake) == ROWS


def test_days_far_from_all_others_are_taken(tmp_path: Path) -> None:
    """Nothing is carried over days in which no symbol traded."""
    lake = tmp_path / "lake"
    import_all(lake, day_file(tmp_path, ROWS))
    far = trades(start_ms=MIDNIGHT + 30 * DAY, hours=1, first_id=90_000_000)
    import_all(lake, day_file(tmp_path, far))
    assert held(lake) == ROWS + far


def test_days_over_which_others_would_carry_a_symbol_are_refused(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    for day in range(10):
        rows = trades(start_ms=MIDNIGHT + day * DAY, hours=1, first_id=1 + 1_000_000 * day)
        import_all(lake, day_file(tmp_path, [r._replace(symbol="ETHUSDT") for r in rows]))
    far = trades(start_ms=MIDNIGHT + 9 * DAY, hours=1, first_id=90_000_000)
    import_all(lake, day_file(tmp_path, far))
    with pytest.raises(
        InputError, match="would have nothing from 2024-08-09 to 2024-08-16"
    ) as caught:
        import_all(lake, day_file(tmp_path, ROWS))
    assert "import the days between too, or choose another folder" in str(caught.value)


def test_klines_after_the_first_trade_are_far_from_nothing(tmp_path: Path) -> None:
    """No bars are made of them."""
    lake = tmp_path / "lake"
    import_all(lake, day_file(tmp_path, ROWS))
    late = kline_lines(MIDNIGHT + 30 * DAY, count=3)
    (imported,) = import_all(lake, write_dump(tmp_path, "BTCUSDT-1m-2024-09-07.csv", late))
    assert imported.fresh == 3


def test_a_lake_of_single_trades_is_refused(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    with open_ticks_writer(lake) as db:
        claim(db, lake, "trade", "exchange")
    with pytest.raises(LakeError, match="holds trade ids and cannot take aggTrade ids"):
        import_all(lake.root, day_file(tmp_path, ROWS))


def test_the_lake_of_the_demo_is_refused(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    with open_ticks_writer(lake) as db:
        claim(db, lake, "aggTrade", "demo")
        # Far away from the file: that is not what is wrong.
        db.execute("INSERT INTO symbols VALUES ('BTCUSDT', 1, 1, 1, 1.0, 1)")
        db.execute(f"INSERT INTO {TICKS} VALUES (1, 'BTCUSDT', 1, 1790000000000, 1.0, 1.0, 1)")
    with pytest.raises(LakeError, match="is for trades of the simulated market"):
        import_all(lake.root, day_file(tmp_path, ROWS))


def test_a_running_collector_is_not_disturbed(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    with (
        writer_lock(lake, "collector"),
        pytest.raises(LakeError, match="already has a collector running"),
    ):
        import_all(lake.root, day_file(tmp_path, ROWS))


def test_nothing_is_touched_where_one_file_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing.*is not there"):
        import_all(
            tmp_path / "lake",
            day_file(tmp_path, ROWS),
            tmp_path / "missing" / "BTCUSDT-aggTrades-2024-08-07.zip",
        )
    assert not (tmp_path / "lake").exists()


def stamps(root: Path) -> dict[str, int]:
    return {name: (root / name).stat().st_mtime_ns for name in partitions(root)}


def test_an_hour_is_what_the_lake_calls_an_hour() -> None:
    assert HOUR == HOUR_MS
