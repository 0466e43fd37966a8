"""What the job and the collector make of a lake that was imported into."""

from itertools import count
from pathlib import Path
from typing import Any

import pytest

from analytics_job.job import AnalyticsJob
from analytics_job.pipeline import Pipeline
from collector.storage.batch import Batch
from collector.storage.store import TickStore
from spreadlake.binance.decode import AggTrade
from spreadlake.config import Settings
from spreadlake.lake import Lake, open_ticks_writer
from tests.analytics_job.harness import TestLake, settings
from tests.importer.dumps import DAY, MIDNIGHT, day_file, kline_lines, trades, write_dump
from tests.importer.lakes import gaps, import_all, rows
from tests.trades import Trade

A = trades(hours=2, per_hour=1200)
B = trades("ETHUSDT", hours=2, per_hour=900, first_id=77)
EARLIER = trades(
    start_ms=MIDNIGHT - DAY + 23 * 3_600_000, hours=1, per_hour=1200, first_id=A[0].trade_id - 1200
)
TABLES = ("bars", "first_bars", "pair_analytics", "pair_status", "alert_events")


def config(**more: Any) -> Settings:
    return settings(
        symbols=["BTCUSDT", "ETHUSDT"],
        windows=[30],
        lookbacks=[60],
        timeframes=["1s", "1m"],
        **more,
    )


def analysed(root: Path, steps: int = 1, rebuild: bool = False) -> dict[str, list[dict[str, Any]]]:
    job = AnalyticsJob(Lake(root), config())
    if rebuild:
        job.rebuild(None)
    for _ in range(steps):
        job.step()
    job.close()
    lake = TestLake(root)
    try:
        return {name: lake.table(name) for name in TABLES}
    finally:
        lake.close()


def test_the_job_takes_imported_hours_in_by_itself(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    import_all(lake, day_file(tmp_path, A), day_file(tmp_path, B))
    tables = analysed(lake)
    seconds = [row for row in tables["bars"] if row["timeframe"] == "1s"]
    assert sum(row["trades"] for row in seconds) == len(A) + len(B)
    assert tables["pair_analytics"]


def test_history_before_the_lake_gives_the_tables_of_a_rebuild(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    import_all(lake, day_file(tmp_path, A), day_file(tmp_path, B))
    analysed(lake)
    import_all(lake, day_file(tmp_path, EARLIER))
    taken_in = analysed(lake)
    assert taken_in == analysed(lake, rebuild=True)
    assert min(row["time"] for row in taken_in["bars"]) == EARLIER[0].time_ms // 1000


def test_a_rebuild_that_was_cut_off_is_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = tmp_path / "lake"
    import_all(lake, day_file(tmp_path, A), day_file(tmp_path, B))
    whole = analysed(lake, rebuild=True)
    advance, calls = Pipeline._advance, count(1)

    def cut_off(pipeline: Pipeline, end: int) -> None:
        advance(pipeline, end)
        if next(calls) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Pipeline, "_advance", cut_off)
        with pytest.raises(KeyboardInterrupt):
            analysed(lake, rebuild=True)
    assert analysed(lake) == whole


def test_the_collector_goes_on_after_the_last_imported_trade(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    import_all(lake, day_file(tmp_path, A))
    live = [next_trade(A[-1], 1), next_trade(A[-1], 2), next_trade(A[-1], 4)]
    with open_ticks_writer(Lake(lake)) as db:
        store = TickStore(db, ["BTCUSDT"])
        assert (store.first_id("BTCUSDT"), store.last_id("BTCUSDT")) == (
            A[0].trade_id, A[-1].trade_id,
        )  # fmt: skip
        stored = store.write(Batch([*live, AggTrade(*A[500])]))
    assert (stored.ticks, stored.duplicates) == ({"BTCUSDT": 3}, 1)
    assert gaps(lake) == [(A[-1].trade_id + 3, A[-1].trade_id + 3, "open", "restart")]
    sequence = [row[0] for row in rows(lake, "SELECT seq FROM ticks ORDER BY seq")]
    (newest,) = rows(lake, "SELECT max(max_seq) FROM rolls")[0]
    assert sequence == [newest + 1, newest + 2, newest + 3]


def next_trade(last: Trade, further: int) -> AggTrade:
    moved = last._replace(trade_id=last.trade_id + further, time_ms=last.time_ms + 100 * further)
    return AggTrade(*moved)


def test_klines_become_bars_before_the_first_trade(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    klines = write_dump(
        tmp_path, "BTCUSDT-1m-2024-08-07.zip", kline_lines(MIDNIGHT - DAY, count=1440)
    )
    import_all(lake, day_file(tmp_path, A), klines)
    minutes = [row for row in analysed(lake)["bars"] if row["timeframe"] == "1m"]
    before = [row for row in minutes if row["time"] < MIDNIGHT // 1000]
    assert len(before) == 1440
    assert (before[1]["open"], before[1]["close"], before[1]["trades"]) == (60001.0, 60002.0, 91)


def test_klines_that_come_later_are_noticed(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    import_all(lake, day_file(tmp_path, A))
    job = AnalyticsJob(Lake(lake), config())
    job.step()
    import_all(lake, write_dump(tmp_path, "BTCUSDT-1m-2024-08-07.csv", kline_lines(MIDNIGHT - DAY)))
    job.step()
    job.close()
    minutes = TestLake(lake)
    assert len([b for b in minutes.table("bars") if b["time"] < MIDNIGHT // 1000]) == 1440
    minutes.close()


def test_live_trades_after_an_import_join_on_to_its_last_second(tmp_path: Path) -> None:
    """The last imported second is not over: it waits for what is live, though it is in Parquet."""
    lake = tmp_path / "lake"
    import_all(lake, day_file(tmp_path, A[:1200]), day_file(tmp_path, B[:900]))
    analysed(lake, rebuild=True)
    with open_ticks_writer(Lake(lake)) as db:
        store = TickStore(db, ["BTCUSDT", "ETHUSDT"])
        store.write(Batch([AggTrade(*trade) for trade in A[1200:1300]]))
        store.write(Batch([AggTrade(*trade) for trade in B[900:1000]]))
    gone_on = analysed(lake)
    assert gone_on == analysed(lake, rebuild=True)
