"""When trades cannot be stored, reading pauses, memory stays bounded, and nothing is lost."""

import asyncio
import shutil
import sqlite3
import subprocess
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from collector.stream.batcher import Batcher
from simulator import Drop, Faults, SimulatedExchange
from spreadlake.errors import LakeError, ServiceError
from spreadlake.lake import Lake
from tests.collector.fake import FakeServer, fake_server, frame
from tests.collector.lakes import rows_of
from tests.collector.live import (
    FAST,
    all_caught_up,
    collecting,
    counter,
    differences,
    made,
    market,
    settings_for,
    ticks,
    until,
)
from tests.collector.trouble import impatient, locked

BUFFER = 1_000
# Pongs are not read either while reading pauses.
PATIENT = replace(FAST, ping_interval=3600.0)


async def send_endlessly(fake: FakeServer, connection: ServerConnection) -> None:
    """As fast as the client reads."""
    with suppress(ConnectionClosed):
        while True:
            await connection.send(frame(fake.sent + 1))
            fake.sent += 1


async def sent_at_last(fake: FakeServer) -> int:
    """Waits until the server cannot send any more; how much it has sent then."""
    sent, turns = fake.sent, 0
    while turns < 50:  # of the event loop that the server shares with us
        await asyncio.sleep(0.01)
        turns = turns + 1 if sent == fake.sent else 0
        sent = fake.sent
    return sent


def test_a_locked_database_pauses_reading_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    impatient(monkeypatch)
    caplog.set_level("INFO")

    async def scenario() -> None:
        lake = Lake(tmp_path)
        async with (
            fake_server(send_endlessly) as fake,
            collecting(
                lake, settings_for(fake, buffer_trades=BUFFER, silence_seconds=3600), PATIENT
            ),
        ):
            await until(lambda: ticks(lake) > BUFFER)
            with locked(lake):
                sent = await sent_at_last(fake)
                stored = ticks(lake)
            await until(lambda: ticks(lake) > sent)
        assert len(fake.paths) == 1
        assert sent > stored
        assert rows_of(lake, "SELECT min(trade_id), max(trade_id) - count(*) FROM ticks") == [
            (1, 0)
        ]
        assert rows_of(lake, "SELECT * FROM gaps") == []

    asyncio.run(scenario())
    assert caplog.text.count("trades cannot be stored now (database is locked)") == 1
    assert "trades are stored again" in caplog.text


def test_memory_holds_no_more_than_the_buffer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch)
    batchers, seen = made(monkeypatch, "collector.stream.streams.Batcher", Batcher), [0]

    def most() -> int:
        seen.append(batchers[0].waiting)
        return max(seen)

    async def scenario() -> None:
        lake = Lake(tmp_path)
        async with (
            fake_server(send_endlessly) as fake,
            collecting(lake, settings_for(fake, buffer_trades=BUFFER)),
        ):
            await until(lambda: ticks(lake) > BUFFER)
            with locked(lake):
                await until(lambda: most() > BUFFER // 2)
                await sent_at_last(fake)
                most()

    asyncio.run(scenario())
    assert BUFFER // 2 < most() <= BUFFER


def test_a_full_disk_is_told_once_and_recovered_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    opened = impatient(monkeypatch, "max_page_count=60")

    async def scenario() -> dict[str, int]:
        lake = Lake(tmp_path)
        async with SimulatedExchange(market(rate=300)) as exchange:
            async with collecting(lake, settings_for(exchange)):
                await until(lambda: "database or disk is full" in caplog.text)
                stored = ticks(lake)
                await asyncio.sleep(0.5)
                assert ticks(lake) == stored
                # In its own thread it is asked again soon, and then there is room.
                opened[0].execute("PRAGMA max_page_count=1000000")
                await until(lambda: ticks(lake) > stored + 500)
                await all_caught_up(lake, exchange)
            return differences(lake, exchange)

    found = asyncio.run(scenario())
    assert found.pop("right") > 500
    assert found == {"missing": 0, "twice": 0, "wrong": 0}
    assert caplog.text.count("trades cannot be stored now (database or disk is full)") == 1


def test_what_the_exchange_lets_go_meanwhile_is_counted_and_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exchange drops a client that does not read; the trades in between are a gap."""
    impatient(monkeypatch)
    batchers, faults = made(monkeypatch, "collector.stream.streams.Batcher", Batcher), Faults()

    def is_full() -> bool:
        connections = batchers[0]._groups[0].connections
        return any(len(connection.reader) >= BUFFER // 2 for connection in connections)

    async def scenario() -> dict[str, int]:
        lake = Lake(tmp_path)
        async with SimulatedExchange(market(rate=600), faults=faults) as exchange:
            async with collecting(lake, settings_for(exchange, buffer_trades=BUFFER)):
                await until(lambda: ticks(lake) > 300)
                with locked(lake):
                    await until(is_full)
                    faults.add(Drop())
                    await until(lambda: faults.fired)
                await until(lambda: counter(lake, "dropped") > 0)
                await all_caught_up(lake, exchange)
                await until(lambda: ticks(lake) > 1_500)
            causes = rows_of(lake, "SELECT DISTINCT cause, state FROM gaps")
            assert causes == [("reading paused", "repaired")]
            return differences(lake, exchange)

    found = asyncio.run(scenario())
    assert found.pop("right") > 1500
    assert found == {"missing": 0, "twice": 0, "wrong": 0}


def test_a_damaged_database_is_told_and_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch)

    async def scenario() -> None:
        lake = Lake(tmp_path)
        async with (
            SimulatedExchange(market()) as exchange,
            collecting(lake, settings_for(exchange)) as task,
        ):
            await until(lambda: ticks(lake) > 10)
            with closing(sqlite3.connect(lake.ticks_db)) as other:
                other.execute("DROP TABLE symbols")
            await task

    with pytest.raises(LakeError, match=r"ticks\.db"):
        asyncio.run(scenario())


def test_a_lake_that_was_removed_is_noticed(tmp_path: Path) -> None:
    async def scenario() -> None:
        lake = Lake(tmp_path / "lake")
        async with (
            SimulatedExchange(market()) as exchange,
            collecting(lake, settings_for(exchange)) as task,
        ):
            await until(lambda: ticks(lake) > 10)
            shutil.rmtree(lake.root)
            await task

    with pytest.raises(ServiceError, match=r"ticks\.db was removed"):
        asyncio.run(scenario())


@pytest.mark.soak
def test_a_disk_that_is_really_full(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """On a small file system of its own, filled and emptied by a file beside the lake."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(tmp_path)], check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a small file system")
    caplog.set_level("INFO")
    ballast = tmp_path / "ballast"

    async def scenario() -> dict[str, int]:
        lake = Lake(tmp_path / "lake")
        async with SimulatedExchange(market(rate=400)) as exchange:
            async with collecting(lake, settings_for(exchange)):
                await until(lambda: ticks(lake) > 500)
                ballast.write_bytes(bytes(shutil.disk_usage(tmp_path).free - 2**16))
                await until(lambda: "trades cannot be stored now" in caplog.text)
                await asyncio.sleep(5.0)
                stored = ticks(lake)
                ballast.unlink()
                await until(lambda: "trades are stored again" in caplog.text)
                await until(lambda: ticks(lake) > stored + 2_000)
                await all_caught_up(lake, exchange)
            return differences(lake, exchange)

    try:
        found = asyncio.run(scenario())
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    said = [record.message for record in caplog.records if "stored" in record.message]
    print(f"\nfull disk: {found}; log: {said}")
    assert found.pop("right") > 4_000
    assert found == {"missing": 0, "twice": 0, "wrong": 0}
    assert len(said) == 2
