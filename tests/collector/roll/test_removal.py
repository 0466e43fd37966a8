"""What is older than it is kept goes: on record before, told by readers, and never missed."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest

from analytics_job.job import AnalyticsJob
from collector.roll import remover
from simulator import SimulatedExchange
from spreadlake.config import load_settings
from spreadlake.errors import RemovedError
from spreadlake.lake import Lake, open_reader, open_ticks_writer, read_trades
from spreadlake.lake.keeping import age_cutoff, growth, midnight, size_cutoff
from spreadlake.lake.sizes import measure
from spreadlake.lake.ticks.rolls import missing_hours, newest_seq
from tests.collector.compacting import (
    END_MS,
    FIRST_MS,
    MIDNIGHT_MS,
    all_trades,
    compact,
    earlier,
    files,
    rolled_day,
)  # fmt: skip
from tests.collector.lakes import A, fill, rows_of
from tests.collector.live import collecting, market, settings_for, until

DAYS = {("ticks", "2024-01-01"): 10, ("bars", "2024-01-01"): 5, ("ticks", "2024-01-03"): 20}


def remove_first_day(lake: Lake) -> None:
    """As the collector does, for as long as a day of the lake's newest trades is kept."""
    from spreadlake.lake.ticks.removal import oldest_days, record_removed

    with closing(open_ticks_writer(lake)) as db:
        for day in oldest_days(db, MIDNIGHT_MS):
            record_removed(db, day, 1)
            remover.remove_files(lake, day)


def test_what_is_removed_is_on_record_and_not_missed(tmp_path: Path) -> None:
    lake = rolled_day(tmp_path)
    compact(lake)
    with closing(open_reader(lake.ticks_db)) as db:
        seq = newest_seq(db)
    remove_first_day(lake)
    assert not [name for name in files(lake) if "2023-11-14" in name]
    with closing(open_reader(lake.ticks_db)) as db:
        assert missing_hours(db, lake) == []
        assert newest_seq(db) == seq
    assert rows_of(lake, "SELECT count(*), sum(rows) FROM removed") == [(2, 2 * 540)]
    with pytest.raises(RemovedError, match=r"BTCUSDT and 1 more from 2023-11-14T.* were removed"):
        all_trades(lake)
    assert read_trades(lake, MIDNIGHT_MS, END_MS).height == 360


def test_a_rebuild_keeps_what_was_computed_of_removed_trades(tmp_path: Path) -> None:
    lake = rolled_day(tmp_path)
    fill(lake, earlier([721]))
    job = AnalyticsJob(lake, load_settings(None, symbols=["BTCUSDT", "ETHUSDT"], pairs=[]))
    job.step()
    remove_first_day(lake)
    query = f"SELECT count(*), sum(trades) FROM bars WHERE time < {MIDNIGHT_MS // 1000}"
    with closing(open_reader(lake.analytics_db)) as db:
        before = db.execute(query).fetchall()
        assert before[0][0] > 20_000
        job.rebuild(None)
        job.step()
        assert job.error == ""
        assert db.execute(query).fetchall() == before
    job.close()


def test_beside_the_capture_old_days_go(tmp_path: Path) -> None:
    lake = rolled_day(tmp_path)

    old = f"SELECT 1 FROM rolls WHERE hour_ms < {END_MS}"
    told = "SELECT 1 FROM service_status WHERE key = 'storage'"

    async def scenario() -> None:
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange, repair_hours=0)
            storage = settings.storage.model_copy(update={"keep_days": {"ticks": 1}})
            settings = settings.model_copy(update={"storage": storage})
            async with collecting(lake, settings):
                await until(lambda: not rows_of(lake, old))
                await until(lambda: not list(lake.ticks_dir.rglob("date=2023*")))
                await until(lambda: rows_of(lake, told))

    asyncio.run(scenario())


def test_the_ages_and_sizes_that_go() -> None:
    day = midnight("2024-01-02")
    assert age_cutoff(day + 5, 1) == day - 86_400
    assert age_cutoff(day, None) == 0
    end = midnight("2024-01-04")
    assert size_cutoff(DAYS, 100, None, end) == size_cutoff(DAYS, 100, 100, end) == 0
    assert size_cutoff(DAYS, 100, 90, end) == midnight("2024-01-02")
    assert size_cutoff(DAYS, 100, 80, end) == midnight("2024-01-04")
    assert size_cutoff(DAYS, 100, 80, midnight("2024-01-03")) == midnight("2024-01-02")
    grown = growth(DAYS, "2024-01-04")
    assert (grown.days, grown.by_kind) == (3, {"bars": 5 / 3, "ticks": 10.0})


def test_the_room_of_a_lake_is_measured(tmp_path: Path) -> None:
    assert measure(Lake(tmp_path / "none")).total == 0
    lake = rolled_day(tmp_path)
    compact(lake)
    (tmp_path / "a.jsonl.gz").write_bytes(b"12345")
    sizes = measure(lake)
    on_disk = sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file())
    assert sizes.total == on_disk
    assert sizes.kinds["recordings"] == (5, 1)
    assert sizes.days["ticks", "2023-11-14"] > sizes.days["ticks", "2023-11-15"] > 0
    assert sizes.symbols["ticks", A] == lake.tick_day(A, FIRST_MS).stat().st_size + (
        lake.tick_partition(A, MIDNIGHT_MS).stat().st_size
    )
