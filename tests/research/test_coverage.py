"""What a lake has of each symbol, what is missing, and why."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import spreadlake
from analytics_job.job import AnalyticsJob
from collector.roll import remover
from spreadlake.errors import InputError, MissingFileError
from spreadlake.lake import HOUR_MS, Lake, atomic, open_analytics_writer, open_ticks_writer
from spreadlake.lake.ticks.gaps import close_as_lost, confirm_gap, newest_gaps
from spreadlake.lake.ticks.removal import oldest_days, record_removed
from spreadlake.lake.ticks.universe import UniverseRow, save_universe
from spreadlake.trades import IdRange
from tests.analytics_job import harness
from tests.analytics_job.archive.test_removal import BY_AGE, HOT_HOUR, MIDNIGHT, analysed, config
from tests.analytics_job.archiving import EPOCH_MS, roll
from tests.analytics_job.bars import test_stops as stops
from tests.collector.compacting import FIRST_MS, IDS, MIDNIGHT_MS, compact, rolled_day
from tests.collector.lakes import PER_HOUR, START_MS, STEP_MS, A, B, fill, trades
from tests.collector.rolling import roll_until
from tests.fixture_lake import make_lake
from tests.lake.test_versions import VERSIONS
from tests.research.bar_lake import make_bar_lake, walks

OF = ("kind", "start", "end", "trades")


def spans(lake: Lake, symbol: str, *kinds: str) -> list[tuple[Any, ...]]:
    """(kind, start, end in ms, trades) of a symbol, of the kinds or of all."""
    found = spreadlake.open(lake.root).coverage(symbol)
    if kinds:
        found = found.filter(pl.col("kind").is_in(kinds))
    return found.select("kind", pl.col("start", "end").dt.epoch("ms"), "trades").rows()


def holds_what_it_says(lake: Lake) -> pl.DataFrame:
    """Whoever asks for a stretch that is there gets as many."""
    opened = spreadlake.open(lake.root)
    found = opened.coverage()
    assert found["missing"].equals(~found["kind"].is_in(["trades", "bars"]))
    assert (found.filter("missing")["reason"] != "").all()
    for row in found.filter(~pl.col("missing")).rows(named=True):
        span = (row["start"], row["end"])
        if row["kind"] == "trades":
            given = opened.trades(row["symbol"], *span).select("time").collect()
            assert given.height == row["trades"] == opened.trades(row["symbol"]).collect().height
        else:
            given = opened.bars(row["symbol"], row["timeframe"], *span).select("time").collect()
            every = opened.bars(row["symbol"], row["timeframe"]).select("time").collect()
            assert given.height == row["bars"] == every.height
        assert given["time"].min() == row["start"]
    return found


def test_gaps_are_between_the_trades_around_them(tmp_path: Path) -> None:
    lake, missing = Lake(tmp_path), {*range(10, 20), *range(30, 36), *range(200, 250)}
    held = [i for i in range(3 * PER_HOUR) if i not in missing]
    fill(lake, trades(held), trades(range(3 * PER_HOUR), B))
    with closing(open_ticks_writer(lake)) as db, atomic(db):
        open_gap = next(gap for gap in newest_gaps(db, "open") if gap.range.first == 30)
        close_as_lost(db, open_gap, IdRange(30, 32), 1, "too old")  # 33 to 35 stay open
        late = next(gap for gap in newest_gaps(db, "open") if gap.range.first == 200)
        confirm_gap(db, late)

    def at(number: int) -> int:
        return START_MS + number * STEP_MS

    for step in (
        lambda: None,
        lambda: roll_until(lake, START_MS + 2 * HOUR_MS),
        lambda: compact(lake),
    ):
        step()
        assert spans(lake, A, "gap") == [
            ("gap", at(9), at(20), 10),
            ("gap", at(29), at(36), 3),
            ("gap", at(29), at(36), 3),
            ("gap", at(199), at(250), 50),
        ]
        assert spans(lake, A, "trades") == [("trades", at(0), at(3 * PER_HOUR - 1) + 1, len(held))]
        assert not spans(lake, B, "gap")
        found = holds_what_it_says(lake)
    why = found.filter(symbol=A, kind="gap")["reason"].to_list()
    assert [reason for reason in why if not reason.startswith("being repaired")] == [
        "beyond repair (jump): too old"
    ]
    assert why[-1].endswith(": waiting for repair")
    gaps = spreadlake.open(lake.root).gaps()
    assert gaps.filter(symbol=A)["trades"].sum() == len(missing)
    # Trades that no job has made bars of are told of too.
    assert [row[0] for row in spans(lake, A, "unprocessed")] == ["unprocessed"]


def test_what_was_removed_and_files_that_are_gone(tmp_path: Path) -> None:
    lake = rolled_day(tmp_path)
    compact(lake)
    with closing(open_ticks_writer(lake)) as db:
        for day in oldest_days(db, MIDNIGHT_MS):
            record_removed(db, day, 1)
            remover.remove_files(lake, day)
    left = sum(FIRST_MS + i * STEP_MS >= MIDNIGHT_MS for i in IDS)
    day_ms = MIDNIGHT_MS - 24 * HOUR_MS
    for symbol in (A, B):
        assert spans(lake, symbol, "removed") == [("removed", day_ms, MIDNIGHT_MS, len(IDS) - left)]
    found = holds_what_it_says(lake)
    assert found.filter(kind="trades")["trades"].to_list() == [left, left]
    gone = lake.tick_partition(A, MIDNIGHT_MS)
    gone.unlink()
    ((_, start, end, many),) = spans(lake, A, "files")
    assert (start, end) == (MIDNIGHT_MS, MIDNIGHT_MS + HOUR_MS)
    assert spans(lake, A, "trades")[0][3] == left - many
    with pytest.raises(MissingFileError):
        spreadlake.open(lake.root).trades(A).collect()


@pytest.mark.parametrize("more", [{}, BY_AGE], ids=["whole", "removed"])
def test_bars_breaks_and_bars_that_were_removed(tmp_path: Path, more: dict[str, Any]) -> None:
    lake, job = analysed(tmp_path, config(**HOT_HOUR, **more))
    holds_what_it_says(lake.lake)  # all of it is in SQLite
    roll(job)
    job.close()
    lake.close()
    found = holds_what_it_says(lake.lake)
    assert found.filter(kind="bars").height == 4
    assert (found.filter(kind="bars")["bars"] > 100).all()
    breaks = found.filter(symbol="AUSDT", kind="break")
    assert breaks.height == 1
    inside = spreadlake.open(tmp_path).bars("AUSDT", "1s").collect()["time"]
    assert not ((inside >= breaks["start"][0]) & (inside < breaks["end"][0])).any()
    removed = found.filter(kind="removed")
    assert removed.height == (4 if more else 0)
    if more:
        assert set(removed["end"].dt.epoch("s")) == {MIDNIGHT}
        assert removed["start"].null_count() == 4


def test_a_symbol_that_left_and_came_back(tmp_path: Path) -> None:
    lake = harness.TestLake(tmp_path)
    of_b = stops.of_b(0, stops.LEFT) + stops.of_b(stops.BACK, 1200)
    stops.live(lake, stops.trades(*of_b), (stops.LEFT, False), (stops.BACK, True))
    first = next(t for t in stops.of_b(stops.BACK, 1200)).time_ms // 1000
    stop = stops.at(stops.LEFT + stops.LIMIT)
    assert spans(lake.lake, "BUSDT", "away") == [("away", stop * 1000, first * 1000, None)]
    holds_what_it_says(lake.lake)
    lake.close()


def test_a_symbol_that_is_away_says_why(tmp_path: Path) -> None:
    lake = harness.TestLake(tmp_path)
    stops.live(lake, stops.trades(*stops.of_b(0, stops.LEFT)), (stops.LEFT, False))
    rows = [
        UniverseRow("AUSDT", 0, "named"),
        UniverseRow("BUSDT", None, "the exchange has closed it", "SETTLING"),
        UniverseRow("NEWUSDT", 1, "named"),
    ]
    with atomic(lake.db):
        save_universe(lake.db, rows, "", None)
    ((kind, start, _, _),) = spans(lake.lake, "BUSDT", "away", "after")
    assert (kind, start) == ("away", stops.at(stops.LEFT + stops.LIMIT) * 1000)
    found = spreadlake.open(tmp_path).coverage()
    assert (
        found.filter(kind="away")["reason"].item()
        == "it is not captured: the exchange has closed it"
    )
    assert found.filter(symbol="NEWUSDT").select("kind", "start").rows() == [("nothing", None)]
    lake.close()


def test_before_the_first_and_after_the_last(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    late = trades(range(2 * PER_HOUR, 3 * PER_HOUR), B)
    fill(lake, trades(range(PER_HOUR)), late)
    rows = [
        UniverseRow(A, 0, "named", "TRADING_HALT", trading=0),
        UniverseRow(B, 1, "named", listed_ms=late[0].time_ms - 5),
    ]
    with closing(open_ticks_writer(lake)) as db, atomic(db):
        save_universe(db, rows, "", None)
    end = START_MS + (3 * PER_HOUR - 1) * STEP_MS + 1
    last_of_a = START_MS + (PER_HOUR - 1) * STEP_MS + 1
    assert spans(lake, A, "after", "before") == [("after", last_of_a, end, None)]
    assert spans(lake, B, "after", "before") == [("before", START_MS, late[0].time_ms, None)]
    why = spreadlake.open(tmp_path).coverage().filter(pl.col("kind").is_in(["after", "before"]))
    assert why["reason"][0].endswith("its status is TRADING_HALT")
    assert why["reason"][1].startswith("it was listed at 2023-11-15T")


def test_klines_alone(tmp_path: Path) -> None:
    lake, start = harness.TestLake(tmp_path), EPOCH_MS // 1000
    lake.store_klines(
        [
            (symbol, "1m", start + 60 * n, 5.0, 6.0, 4.0, 5.0 + n % 3, 1.0, 5.0, 0.5, 3)
            for symbol in ("AUSDT", "BUSDT")
            for n in range(100)
        ]
    )
    end = (start + 6000) * 1000
    assert spans(lake.lake, "AUSDT") == [("klines", EPOCH_MS, end, None)]  # no job yet
    job = AnalyticsJob(lake.lake, harness.settings(symbols=["AUSDT", "BUSDT"], alerts=[]))
    job.step()
    job.close()
    assert spans(lake.lake, "AUSDT") == [
        ("bars", EPOCH_MS, end, None),
        ("klines", EPOCH_MS, end, None),
    ]
    holds_what_it_says(lake.lake)
    opened = spreadlake.open(tmp_path)
    assert opened.pair("AUSDT", "BUSDT", window=20, lookback=30).collect().height == 81
    with pytest.raises(InputError, match="klines alone"):
        opened.trades("AUSDT")
    with pytest.raises(InputError, match="all of these are made of klines"):
        opened.bars("AUSDT", "1s")
    lake.close()


def test_a_lake_with_nothing_in_it(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    open_ticks_writer(lake).close()
    assert spreadlake.open(tmp_path).coverage().is_empty()
    open_analytics_writer(lake).close()
    assert spreadlake.open(tmp_path).coverage().is_empty()
    lake.ticks_db.unlink()
    assert spreadlake.open(tmp_path).coverage().is_empty()


def test_a_symbol_that_nobody_knows_is_named(tmp_path: Path) -> None:
    opened = spreadlake.open(make_bar_lake(tmp_path, walks(["AUSDT", "BUSDT"], 50)).root)
    known = opened.coverage()["symbol"].unique().sort().to_list()
    for symbols in ("NOPEUSDT", [known[0], "NOPEUSDT"], known[0].lower()):
        with pytest.raises(InputError, match=f"it has {', '.join(known)}"):
            opened.coverage(symbols)


@pytest.mark.parametrize("number", range(1, 12))
def test_lakes_of_every_version(tmp_path: Path, number: int) -> None:
    """Only read, and no writer has brought them up to date."""
    lake = Lake(tmp_path)
    new = make_lake(tmp_path / "new")
    for path, newest in ((lake.ticks_db, 9), (lake.analytics_db, 11)):
        version, name = min(number, newest), path.stem
        schema = (VERSIONS / f"{name}_{version}.sql").read_text(encoding="utf-8")
        with closing(sqlite3.connect(path)) as db:
            db.executescript(schema)
            db.execute("ATTACH ? AS new", (str(new.root / path.name),))
            for table, columns in _shared(db).items():
                into = f"INSERT OR IGNORE INTO main.{table}({columns})"
                db.execute(f"{into} SELECT {columns} FROM new.{table}")
            db.execute(f"PRAGMA user_version={version}")
            db.commit()
    opened = spreadlake.open(tmp_path)
    assert opened.trades("BTCUSDT").collect()["received_ms"].to_list() == [None]
    assert opened.alerts().height == 3
    assert opened.gaps().height == 2
    assert opened.gaps(repaired=True).height == 3
    found = opened.coverage()
    assert found.filter(kind="gap")["trades"].to_list() == [10, 1]
    assert found.filter(kind="trades")["trades"].to_list() == [500, 390]


def _shared(db: sqlite3.Connection) -> dict[str, str]:
    """The columns that each table of both databases has."""
    tables = [
        row[0] for row in db.execute("SELECT name FROM main.sqlite_master WHERE type='table'")
    ]
    known = {row[0] for row in db.execute("SELECT name FROM new.sqlite_master WHERE type='table'")}
    shared = {}
    for table in set(tables) & known:
        own = [row[1] for row in db.execute(f"PRAGMA main.table_info({table})")]
        new = {row[1] for row in db.execute(f"PRAGMA new.table_info({table})")}
        shared[table] = ", ".join(f'"{name}"' for name in own if name in new)
    return shared
