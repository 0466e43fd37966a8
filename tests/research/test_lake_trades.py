"""Trades in Python: each once, hot and cold as one, and no more is read than is asked for."""

import subprocess
import sys
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import spreadlake
from collector.roll import remover
from spreadlake.errors import InputError, RemovedError
from spreadlake.lake import HOUR_MS, Lake, open_ticks_writer
from spreadlake.lake.ticks import trades as reading
from spreadlake.lake.ticks.removal import oldest_days, record_removed
from spreadlake.research.frames import trades as lake_trades
from spreadlake.schemas import TICKS_SCHEMA
from tests.collector.compacting import FIRST_MS, IDS, MIDNIGHT_MS, compact, rolled_day
from tests.collector.lakes import PER_HOUR, START_MS, STEP_MS, A, B, fill, trades
from tests.collector.rolling import END_MS, HOURS, roll_until, three_hours
from tests.patience import PATIENCE

ALL = list(range(HOURS * PER_HOUR))
SECOND_HOUR = datetime.fromtimestamp((START_MS + HOUR_MS) / 1000, UTC)


@pytest.fixture(name="lake")
def partly_rolled(tmp_path: Path) -> Lake:
    """One hour is in Parquet, two in SQLite."""
    lake = three_hours(tmp_path)
    roll_until(lake, START_MS + HOUR_MS)
    return lake


def ids(frame: pl.LazyFrame) -> list[int]:
    return frame.select("trade_id").collect()["trade_id"].to_list()


def test_trades_are_those_of_the_lake(lake: Lake) -> None:
    found = spreadlake.open(lake.root).trades().collect()
    wanted = reading.read_trades(lake, START_MS, END_MS, schema=TICKS_SCHEMA)
    assert found.columns[:4] == ["symbol", "time", "trade_id", "price"]
    assert found.schema["time"] == pl.Datetime("us", "UTC")
    assert found["time"].dt.epoch("ms").to_list() == wanted["time_ms"].to_list()
    for column in set(found.columns) - {"time"}:
        assert found[column].equals(wanted[column])


@pytest.mark.parametrize(
    ("start", "end", "wanted"),
    [
        (None, None, ALL),
        (SECOND_HOUR, None, ALL[PER_HOUR:]),
        (None, SECOND_HOUR, ALL[:PER_HOUR]),
        ("2023-11-15", None, ALL[PER_HOUR:]),
        (date(2023, 11, 15), None, ALL[PER_HOUR:]),
        ("2023-11-15T00:00:00.001Z", "2023-11-15T00:00:40.001Z", [PER_HOUR + 1, PER_HOUR + 2]),
        (START_MS / 1000 + 20, START_MS // 1000 + 60, [1, 2]),
        (
            SECOND_HOUR.astimezone(timezone(timedelta(hours=5))),
            SECOND_HOUR + timedelta(seconds=21),
            [PER_HOUR, PER_HOUR + 1],
        ),
        (SECOND_HOUR, SECOND_HOUR, []),
    ],
)
def test_a_span_is_from_its_start_to_before_its_end(
    lake: Lake, start: Any, end: Any, wanted: list[int]
) -> None:
    opened = spreadlake.open(lake.root)
    assert ids(opened.trades(A, start, end)) == wanted
    assert ids(opened.trades([B, A, B], start, end)) == wanted * 2  # each symbol once
    low = pl.lit(True) if start is None else pl.col("time") >= _datetime(start)
    high = pl.lit(True) if end is None else pl.col("time") < _datetime(end)
    assert ids(opened.trades(A).filter(low & high)) == wanted


def _datetime(time: Any) -> datetime:
    from spreadlake.research.spans import seconds_of

    seconds = seconds_of(time)
    assert seconds is not None
    return datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize("condition", ["time", "between", "symbol", "all", "literal first"])
def test_what_is_not_asked_for_is_not_read(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, condition: str
) -> None:
    reads: list[tuple[int, int, list[str], list[str]]] = []

    def counted(lake: Lake, low: int, high: int, symbols: list[str], **more: Any) -> pl.DataFrame:
        reads.append((low, high, symbols, more["schema"].names()))
        return reading.read_trades(lake, low, high, symbols, **more)

    monkeypatch.setattr(lake_trades, "read_trades", counted)
    at, time = pl.lit(SECOND_HOUR), pl.col("time")
    later = time < SECOND_HOUR + timedelta(minutes=1)
    conditions = {
        "time": (time >= at) & later,
        "between": time.is_between(at, SECOND_HOUR + timedelta(seconds=59)),
        "symbol": (pl.col("symbol").is_in([B, "X"])) & (time >= at) & later,
        "all": (time >= at) & later & (pl.col("price") > 0) & ~pl.col("symbol").eq("X"),
        "literal first": (at <= time) & later,
    }
    found = spreadlake.open(lake.root).trades([A, B]).filter(conditions[condition])
    symbols = [B] if condition == "symbol" else [A, B]
    assert ids(found) == [PER_HOUR, PER_HOUR + 1, PER_HOUR + 2] * len(symbols)
    assert [one[2] for one in reads] == [[symbol] for symbol in symbols]
    assert {one[0] for one in reads} == {START_MS + HOUR_MS}
    assert all(one[1] <= START_MS + HOUR_MS + 60_000 for one in reads)
    columns = {"symbol", "trade_id", "time_ms"} | ({"price"} if condition == "all" else set())
    assert {*reads[0][3]} == columns


def test_conditions_that_say_nothing_of_time_leave_nothing_out(lake: Lake) -> None:
    trades_of = spreadlake.open(lake.root).trades(A)
    odd = (pl.col("trade_id") % 7 == 0) | (pl.col("time") < SECOND_HOUR)
    assert ids(trades_of.filter(odd)) == [i for i in ALL if i % 7 == 0 or i < PER_HOUR]
    hour = pl.col("time").dt.hour() == 0
    assert ids(trades_of.filter(hour)) == ALL[PER_HOUR : 2 * PER_HOUR]
    assert ids(trades_of.filter(pl.col("trade_id") > 200).head(3)) == [201, 202, 203]
    assert ids(trades_of.head(5).filter(pl.col("time") > SECOND_HOUR)) == []
    assert ids(trades_of.head(5).filter(pl.col("trade_id") > 2)) == [3, 4]
    assert trades_of.select(pl.len()).collect().item() == len(ALL)
    sums = trades_of.group_by("symbol").agg(pl.col("qty").sum()).collect(engine="streaming")
    assert sums["qty"].item() == pytest.approx(sum(0.1 + i % 9 for i in ALL))
    assert ids(trades_of.tail(2)) == ALL[-2:]


def test_a_lake_that_is_rolled_between_planning_and_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = three_hours(tmp_path)
    planned = spreadlake.open(lake.root).trades([A, B])
    days = reading.trade_days
    left = [lambda: roll_until(lake, START_MS + HOUR_MS), lambda: roll_until(lake, END_MS)]
    left.append(lambda: compact(lake))

    def moving(*arguments: Any) -> list[int]:
        found = days(*arguments)
        if left:
            left.pop(0)()  # after it was found out what there is
        return found

    monkeypatch.setattr(lake_trades, "trade_days", moving)
    for _ in range(3):
        assert ids(planned) == ALL * 2
    assert not left


_ROLLING = """
import sys, time
from pathlib import Path
from spreadlake.lake import HOUR_MS, Lake
from tests.collector.compacting import compact
from tests.collector.rolling import roll_until
lake, start = Lake(Path(sys.argv[1])), int(sys.argv[2])
for hour in range(1, int(sys.argv[3]) + 1):
    roll_until(lake, start + hour * HOUR_MS)
    if hour % 6 == 0:
        compact(lake)
"""


def test_each_trade_once_while_another_process_rolls(tmp_path: Path) -> None:
    lake, hours = Lake(tmp_path), 30
    every = list(range(hours * PER_HOUR))
    fill(lake, trades(every), trades(every, B))
    planned = spreadlake.open(lake.root).trades([A, B])
    rolling = subprocess.Popen(
        [sys.executable, "-c", _ROLLING, str(lake.root), str(START_MS), str(hours)],
        cwd=Path(__file__).parents[2],
    )
    looks, times = 0, list(range(START_MS, START_MS + len(every) * STEP_MS, STEP_MS))
    while rolling.poll() is None or looks < 3:
        assert ids(planned) == every * 2
        found = planned.filter(pl.col("symbol") == B).select("time").collect()
        assert found["time"].dt.epoch("ms").to_list() == times
        looks += 1
    assert rolling.wait(PATIENCE) == 0
    assert ids(planned) == every * 2
    assert not (lake.tick_partition(A, START_MS)).exists()  # it is in the day's file by now


def test_what_was_removed_is_told_where_it_is_asked_for(tmp_path: Path) -> None:
    lake = rolled_day(tmp_path)
    compact(lake)
    opened = spreadlake.open(lake.root)
    with closing(open_ticks_writer(lake)) as db:
        for day in oldest_days(db, MIDNIGHT_MS):
            record_removed(db, day, 1)
            remover.remove_files(lake, day)
    left = [i for i in IDS if FIRST_MS + i * STEP_MS >= MIDNIGHT_MS]
    assert 0 < len(left) < len(IDS)
    assert ids(opened.trades(A)) == left  # from the first that is kept
    assert ids(opened.trades(A, start="2023-11-15")) == left
    for span in ({"start": "2023-11-14"}, {"end": "2023-11-14T23:30Z"}):
        with pytest.raises(RemovedError, match="removed"):
            ids(opened.trades(A, **span))


@pytest.mark.parametrize("start", [None, "2023-11-14"])
def test_what_is_removed_between_planning_and_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str | None
) -> None:
    lake = rolled_day(tmp_path)
    days = reading.trade_days

    def removing(*arguments: Any) -> list[int]:
        found = days(*arguments)
        with closing(open_ticks_writer(lake)) as db:
            for day in oldest_days(db, MIDNIGHT_MS):
                record_removed(db, day, 1)
                remover.remove_files(lake, day)
        return found

    monkeypatch.setattr(lake_trades, "trade_days", removing)
    planned = spreadlake.open(lake.root).trades(A, start)
    if start is None:
        assert ids(planned) == [i for i in IDS if FIRST_MS + i * STEP_MS >= MIDNIGHT_MS]
        return
    with pytest.raises(RemovedError):
        ids(planned)


def test_mistakes_are_named(lake: Lake) -> None:
    opened = spreadlake.open(lake.root)
    with pytest.raises(InputError, match=f"no trades of XUSDT; it has those of {A}, {B}"):
        opened.trades([A, "XUSDT"])
    with pytest.raises(InputError, match=r"start 2026-11-01 .* has no zone"):
        opened.trades(A, start=datetime(2026, 11, 1))  # noqa: DTZ001
    with pytest.raises(InputError, match="has no zone"):
        opened.trades(A, start="2026-11-01T12:00")
    with pytest.raises(InputError, match="is before start"):
        opened.trades(A, "2026-11-02", "2026-11-01")
    for odd in (START_MS, float("nan"), True, [1]):
        with pytest.raises(InputError, match=r"end .* is no time"):
            opened.trades(A, end=odd)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no symbol is named"):
        opened.trades([])


def test_frames_become_those_of_pandas(lake: Lake) -> None:
    frame = spreadlake.open(lake.root).trades(A).collect()
    pandas = frame.to_pandas()
    assert str(pandas["time"].dt.tz) == "UTC"
    assert pandas["price"].tolist() == frame["price"].to_list()
