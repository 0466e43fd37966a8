"""A finished import closes the last bars of its history: no later trade would."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from analytics_job.job import AnalyticsJob
from importer import StoppedError, import_dumps, run
from spreadlake.config import Settings
from spreadlake.errors import InputError
from spreadlake.lake import Lake, open_reader
from spreadlake.lake.ticks.source_end import read_end
from tests.analytics_job.harness import TestLake, settings
from tests.importer.dumps import DAY, HOUR, MIDNIGHT, day_file, trades
from tests.importer.lakes import import_all
from tests.trades import Trade

TABLES = ("bars", "first_bars", "pair_analytics", "pair_status", "alert_events")


def config(*timeframes: str) -> Settings:
    return settings(
        symbols=["BTCUSDT", "ETHUSDT"],
        windows=[30],
        lookbacks=[60],
        timeframes=list(timeframes or ["1s", "1m"]),
    )


def analysed(root: Path, *timeframes: str, rebuild: bool = False) -> dict[str, list[Any]]:
    job = AnalyticsJob(Lake(root), config(*timeframes))
    if rebuild:
        job.rebuild(None)
    job.step()
    assert job.error == ""
    job.close()
    lake = TestLake(root)
    try:
        return {name: lake.table(name) for name in TABLES}
    finally:
        lake.close()


def last_bars(tables: dict[str, list[Any]], symbol: str = "BTCUSDT") -> dict[str, int]:
    """End of the last bar of each timeframe, in seconds after the first midnight."""
    ends: dict[str, int] = {}
    lengths = {"1s": 1, "1m": 60, "5m": 300, "1h": 3600}
    for bar in tables["bars"]:
        if bar["symbol"] == symbol:
            end = bar["time"] + lengths[bar["timeframe"]] - MIDNIGHT // 1000
            ends[bar["timeframe"]] = max(end, ends.get(bar["timeframe"], 0))
    return ends


def source_end(root: Path) -> int:
    with closing(open_reader(Lake(root).ticks_db)) as db:
        return read_end(db).until_ms


def ending(seconds: float, symbol: str = "BTCUSDT", start_ms: int = MIDNIGHT) -> list[Trade]:
    """A trade every 10 s up to the very last one, `seconds` after `start_ms`."""
    count = int(seconds // 10)
    rows = trades(symbol, start_ms=start_ms, hours=1, per_hour=360)[:count]
    return [
        *rows,
        rows[-1]._replace(trade_id=rows[-1].trade_id + 1, time_ms=start_ms + round(seconds * 1000)),
    ]


@pytest.mark.parametrize("rebuild", [False, True])
@pytest.mark.parametrize("seconds", [3599.999, 3540.0, 3000.5, 3599.2])
def test_every_bar_that_holds_a_trade_is_closed(
    tmp_path: Path, seconds: float, rebuild: bool
) -> None:
    lake, rows = tmp_path / "lake", ending(seconds)
    import_all(lake, day_file(tmp_path, rows))
    tables = analysed(lake, "1m", "5m", "1h", rebuild=rebuild)
    ends = last_bars(tables)
    assert (ends["1h"], ends["1m"]) == (3600, 3600)
    for timeframe in ("1s", "1m", "5m", "1h"):
        counted = sum(b["trades"] for b in tables["bars"] if b["timeframe"] == timeframe)
        assert counted == len(rows), timeframe


def test_the_end_of_a_day_joins_the_next_one(tmp_path: Path) -> None:
    """Two days at once, one after the other, or backwards: the same tables."""
    days = [trades(start_ms=MIDNIGHT + 23 * HOUR, hours=1, per_hour=360),
            trades(start_ms=MIDNIGHT + DAY, hours=1, per_hour=360, first_id=2_000_360)]  # fmt: skip
    files = [day_file(tmp_path, day) for day in days]
    import_all(tmp_path / "both", *files)
    whole = analysed(tmp_path / "both")
    import_all(tmp_path / "single", files[0])
    assert last_bars(analysed(tmp_path / "single")) == {"1s": 24 * 3600, "1m": 24 * 3600}
    import_all(tmp_path / "single", files[1])
    assert analysed(tmp_path / "single") == whole
    assert last_bars(whole) == {"1s": 25 * 3600, "1m": 25 * 3600}


def test_a_live_lake_is_not_moved_by_a_day_of_the_past(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    live = trades(start_ms=MIDNIGHT + 2 * DAY, hours=1, per_hour=360, first_id=3_000_000)
    job_lake = TestLake(lake)
    job_lake.store(live)
    job_lake.close()
    before = analysed(lake)
    assert last_bars(before)["1s"] < 2 * 24 * 3600 + 3600
    import_all(lake, day_file(tmp_path, trades(start_ms=MIDNIGHT + DAY, hours=1, per_hour=360)))
    after = analysed(lake)
    assert last_bars(after) == last_bars(before)


def test_a_day_that_is_not_over_has_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever then captures live has no late trade of it."""
    lake, rows = tmp_path / "lake", ending(1800.2)
    monkeypatch.setattr(run, "now_ms", lambda: MIDNIGHT + HOUR)
    import_all(lake, day_file(tmp_path, rows))
    assert source_end(lake) == 0
    job = AnalyticsJob(Lake(lake), config())
    job.step()
    live = [
        rows[-1]._replace(trade_id=rows[-1].trade_id + n, time_ms=rows[-1].time_ms + 10 * n)
        for n in range(1, 100)
    ]
    job_lake = TestLake(lake)
    job_lake.store(live)
    job.step()
    job.close()
    names = {counter["name"] for counter in job_lake.table("counters")}
    job_lake.close()
    assert "late_trades" not in names


def test_an_import_that_did_not_end_says_nothing(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    rows = trades(hours=4)
    files = [day_file(tmp_path, rows), day_file(tmp_path, trades("ETHUSDT", hours=4, first_id=5))]
    stops = iter([False] * 6)
    with pytest.raises(StoppedError):
        list(import_dumps(Lake(lake), files, lambda _dump, _doing: lambda _bytes: None,
                          lambda: next(stops, True)))  # fmt: skip
    assert source_end(lake) == 0
    wrong = day_file(tmp_path / "wrong", [rows[0]._replace(price=1.5), *rows[1:]])
    with pytest.raises(InputError):
        import_all(lake, wrong)
    assert source_end(lake) == 0
    import_all(lake, *files)
    assert source_end(lake) == MIDNIGHT + DAY
    # It never goes back: the next import may be of an earlier day.
    import_all(lake, day_file(tmp_path, trades(start_ms=MIDNIGHT - DAY, hours=1, first_id=9)))
    assert source_end(lake) == MIDNIGHT + DAY


def test_what_is_captured_after_the_file_of_a_part_of_a_day_is_not_late(tmp_path: Path) -> None:
    """A file may hold less than its day; then the day goes on by what comes."""
    lake, rows = tmp_path / "lake", ending(940.2)
    import_all(lake, day_file(tmp_path, rows))
    job = AnalyticsJob(Lake(lake), config())
    job.step()
    assert source_end(lake) == MIDNIGHT + DAY
    job_lake = TestLake(lake)
    for n in range(1, 40):
        trade = rows[-1]._replace(trade_id=rows[-1].trade_id + n)
        job_lake.store([trade._replace(time_ms=MIDNIGHT + 960_000 + 700 * n)])
        job.step()
    job.close()
    names = {counter["name"] for counter in job_lake.table("counters")}
    job_lake.close()
    assert source_end(lake) == 0
    assert "late_trades" not in names


@pytest.mark.parametrize("per_hour", [7, 10, 20, 21])
@pytest.mark.parametrize("count", [1, 2, 3, 20])
def test_trades_that_are_minutes_apart_are_all_in_bars(
    tmp_path: Path, per_hour: int, count: int
) -> None:
    """Nothing comes after the last of them that would bear its time out."""
    lake, rows = tmp_path / "lake", trades(hours=4, per_hour=per_hour)[:count]
    import_all(lake, day_file(tmp_path, rows))
    tables = analysed(lake, "1m", "5m")
    for timeframe in ("1s", "1m", "5m"):
        counted = sum(b["trades"] for b in tables["bars"] if b["timeframe"] == timeframe)
        assert counted == len(rows), timeframe
