"""What a collector leaves when it ends."""

import asyncio
import shutil
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from collector.service import roll
from collector.storage.batch import Batch
from collector.storage.store import TickStore
from collector.storage.writer import WriterThread
from collector.symbols.universe_keeper import UniverseKeeper
from simulator import SimulatedExchange
from spreadlake.config import load_settings
from spreadlake.lake import HOUR_MS, Lake, WalKeeper, open_reader
from spreadlake.service import ServiceContext
from tests.collector.lakes import PER_HOUR, START_MS, A, fill, quick_writer, rows_of, trades
from tests.collector.live import FAST, collecting, market, more_ticks, settings_for, ticks, until
from tests.collector.trouble import impatient, locked

HELD = "SELECT symbol, count(*), max(trade_id) FROM ticks GROUP BY symbol ORDER BY symbol"


def copied(lake: Lake) -> Lake:
    """A copy of the one file, without what may lie beside it."""
    copy = Lake(lake.root / "copy")
    copy.root.mkdir()
    shutil.copy(lake.ticks_db, copy.ticks_db)
    return copy


def test_the_database_can_be_copied_as_one_file(tmp_path: Path) -> None:
    """Though others, as a dashboard does, keep it open: then its log is not removed."""
    lake = Lake(tmp_path)

    async def scenario() -> None:
        async with (
            SimulatedExchange(market()) as exchange,
            collecting(lake, settings_for(exchange)),
        ):
            await more_ticks(lake, 100)
            reader = open_reader(lake.ticks_db)
            reader.execute(HELD).fetchall()
        with closing(reader):
            held = rows_of(lake, HELD)
            assert len(held) == 3
            assert rows_of(copied(lake), HELD) == held

    asyncio.run(scenario())


def test_so_it_can_after_rolling(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    fill(lake, trades(range(2 * PER_HOUR)))
    with closing(open_reader(lake.ticks_db)) as reader:
        reader.execute(HELD).fetchall()
        options = {"before": START_MS + HOUR_MS}
        roll(ServiceContext(load_settings(None), lake, options=options))
        held = rows_of(lake, HELD)
        assert held == [(A, PER_HOUR, 2 * PER_HOUR - 1)]
        assert rows_of(copied(lake), HELD) == held


def test_a_reader_in_the_way_is_no_failure(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with closing(quick_writer(lake)) as db:
        keeper = WalKeeper(db, lake.ticks_db)
        with closing(open_reader(lake.ticks_db)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM symbols").fetchone()
            TickStore(db, [A]).write(Batch(trades(range(10))))
            assert not keeper.empty(wait_ms=50)
            assert keeper.size > 0
        assert keeper.empty(wait_ms=50)
        assert keeper.size == 0
    assert rows_of(lake, HELD) == [(A, 10, 9)]


def attempts_when_closed(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What a writer is asked to do after its end."""
    asked: list[object] = []
    closed: list[WriterThread] = []
    run, close = WriterThread.run, WriterThread.close

    async def watched_run(writer: WriterThread, function: Callable[[], object]) -> object:
        asked.extend([function] if writer in closed else [])
        return await run(writer, function)

    def watched_close(writer: WriterThread) -> None:
        closed.append(writer)
        close(writer)

    monkeypatch.setattr(WriterThread, "run", watched_run)
    monkeypatch.setattr(WriterThread, "close", watched_close)
    return asked


def test_what_cannot_be_stored_at_the_end_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    impatient(monkeypatch)
    attempts = attempts_when_closed(monkeypatch)

    async def scenario() -> None:
        lake = Lake(tmp_path)
        with ExitStack() as lock:
            async with (
                SimulatedExchange(market()) as exchange,
                collecting(lake, settings_for(exchange), replace(FAST, last_flush=0.5)),
            ):
                await until(lambda: ticks(lake) > 10)
                lock.enter_context(locked(lake))
                await until(lambda: "cannot be stored now" in caplog.text)
            await asyncio.sleep(2 * FAST.write_retry_cap)  # for another attempt, were there one

    asyncio.run(scenario())
    assert not attempts
    assert "could not be stored (database is locked); they are fetched at the next start" in (
        caplog.text
    )


def test_one_that_cannot_write_yet_ends_when_it_is_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk that is full from the start: only a kill ended it."""
    began = asyncio.Event()

    async def never(keeper: UniverseKeeper) -> None:
        began.set()
        await asyncio.Event().wait()

    async def scenario() -> None:
        async with SimulatedExchange(market()) as exchange:
            timing = replace(FAST, last_flush=1.0)
            async with collecting(Lake(tmp_path), settings_for(exchange), timing) as task:
                await began.wait()
            assert task.done()

    monkeypatch.setattr(UniverseKeeper, "record", never)
    asyncio.run(asyncio.wait_for(scenario(), 60.0))
