"""Trades whose id the lake has for another trade: told, counted, refused, and never mixed in."""

import asyncio
import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection

from collector.storage import digests
from collector.storage.batch import Batch, Stored
from collector.storage.digests import Digests
from collector.storage.store import TickStore
from spreadlake.binance.decode import AggTrade, MarketTrade
from spreadlake.lake import Lake, read_counters
from spreadlake.trades import IdRange, OffMarket, begins_again
from tests.collector.fake import START_MS, FakeServer, fake_server, frame
from tests.collector.lakes import A, B, fill, quick_writer, rows_of, trade
from tests.collector.live import collecting, counter, settings_for, until

YEAR_MS = 365 * 86_400_000
SYMBOL_ROWS = "SELECT symbol, first_id, last_id, ticks FROM symbols"


def changed(event: AggTrade, **fields: object) -> AggTrade:
    values = {name: getattr(event, name) for name in event.__struct_fields__}
    return AggTrade(**{**values, **fields})


def again(ids: Sequence[int], symbol: str = A) -> list[AggTrade]:
    """Trades of another contract by the same ticker, a year later."""
    return [changed(trade(i, symbol), time_ms=trade(i).time_ms + YEAR_MS) for i in ids]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


@pytest.fixture
def db(lake: Lake) -> Iterator[sqlite3.Connection]:
    with closing(quick_writer(lake)) as connection:
        yield connection


def counts(db: sqlite3.Connection, symbol: str = A) -> tuple[float, float]:
    """(duplicates, contradicting) of a symbol."""
    held = read_counters(db)
    return held.get(("duplicates", symbol), 0), held.get(("contradicting", symbol), 0)


@pytest.mark.parametrize("first", [1, 5_000_000_000])
def test_a_ticker_that_is_used_again_is_told_counted_and_refused(
    lake: Lake, db: sqlite3.Connection, caplog: pytest.LogCaptureFixture, first: int
) -> None:
    store = TickStore(db, [A, B])
    old = [changed(trade(i), trade_id=first + i) for i in range(100)]
    store.write(Batch(old))
    for start in (1, 6):
        stored = store.write(Batch([*again(range(start, start + 5)), trade(start, B)]))
        assert stored == Stored({B: 1}, 0, stored.seconds, {A: 5})
        assert stored.arrived == {A: 5, B: 1}
    assert caplog.text.count(f"{A}: trade 1 is of 2024") == 1
    assert counts(db) == (0, 10)
    assert read_counters(db).get(("ignored", ""), 0) == 0
    assert rows_of(lake, "SELECT * FROM gaps WHERE symbol = 'BTCUSDT'") == []
    assert rows_of(lake, SYMBOL_ROWS)[0] == (A, first, first + 99, 100)
    assert rows_of(lake, f"SELECT count(*) FROM ticks WHERE symbol = '{A}'") == [(100,)]


def test_once_it_is_sure_nothing_of_it_is_taken_any_more_in_later_processes_too(
    lake: Lake, db: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    store = TickStore(db, [A, B])
    store.write(Batch([*map(trade, range(1, 31))]))
    store.write(Batch(again(range(1, 20))))
    assert store.contradictions.reused == set()
    store.write(Batch(again([20])))
    assert store.contradictions.reused == {A}
    assert "choose" not in caplog.text
    assert "capture it into another folder (--data)" in caplog.text
    for process in (store, TickStore(db, [A, B])):
        # The other contract's ids have come past those that are stored.
        stored = process.write(Batch([*again(range(29, 35)), *map(trade, [31]), trade(1, B)]))
        assert (stored.ticks.get(A), stored.contradicting) == (None, {A: 7})
        assert process.last_id(A) == 30
    assert counts(db) == (0, 34)
    assert rows_of(lake, "SELECT value FROM meta WHERE key = 'reused'") == [('["BTCUSDT"]',)]


def test_a_few_wrong_trades_close_nothing(db: sqlite3.Connection) -> None:
    store = TickStore(db, [A])
    store.write(Batch([*map(trade, range(1, 31))]))
    for new in range(31, 41):
        store.write(Batch(again(range(1, 15))))
        assert store.write(Batch([trade(new)])).ticks == {A: 1}
    store.write(Batch([*again(range(1, 31)), trade(41)]))
    assert store.contradictions.reused == set()
    assert counts(db) == (0, 170)
    assert store.last_id(A) == 41


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize(
    "fields",
    [
        {"price": 1.5},
        {"qty": 77.0},
        {"time_ms": trade(7).time_ms + 1},
        {"first_trade_id": 20},
        {"last_trade_id": 24},
    ],
)
def test_a_repeat_that_is_another_trade_is_refused_and_told(
    lake: Lake,
    db: sqlite3.Connection,
    caplog: pytest.LogCaptureFixture,
    fields: dict[str, object],
    restarts: bool,
) -> None:
    store = TickStore(db, [A, B])
    single = changed(trade(7), first_trade_id=21, last_trade_id=23)
    store.write(Batch([*map(trade, range(1, 7)), single, *map(trade, range(8, 21)), trade(7, B)]))
    if restarts:
        store = TickStore(db, [A, B])
    wrong = changed(single, **fields)
    stored = store.write(Batch([trade(6), wrong, trade(8), trade(21), trade(7, B)]))
    assert (stored.ticks, stored.contradicting) == ({A: 1}, {A: 1})
    store.write(Batch([wrong]))
    assert (counts(db), counts(db, B)) == ((2, 2), (1, 0))
    assert caplog.text.count("trade 7 came again as another trade") == 1
    row = (trade(7).time_ms, trade(7).price, trade(7).qty)
    query = f"SELECT time_ms, price, qty FROM ticks WHERE trade_id = 7 AND symbol = '{A}'"
    assert rows_of(lake, query) == [row]


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("richer_first", [False, True])
def test_what_one_of_two_does_not_know_contradicts_nothing(
    db: sqlite3.Connection, restarts: bool, richer_first: bool
) -> None:
    plain, known = trade(7), {"first_trade_id": 21, "last_trade_id": 23, "qty_ex_rpi": 0.0}
    richer = changed(plain, **known, received_ms=5)
    first, second = (richer, plain) if richer_first else (plain, richer)
    store = TickStore(db, [A])
    store.write(Batch([first]))
    if restarts:
        store = TickStore(db, [A])
    assert store.write(Batch([second])).contradicting == {}
    # Nor do the quantity without RPI, which not every answer has, and the local clock.
    other = changed(richer, qty_ex_rpi=0.5, received_ms=9)
    assert store.write(Batch([other])).contradicting == {}
    assert counts(db) == (2, 0)


def test_two_trades_by_one_id_in_one_batch_contradict(db: sqlite3.Connection) -> None:
    store = TickStore(db, [A])
    stored = store.write(Batch([trade(1), trade(2), changed(trade(2), price=1.5), trade(1)]))
    assert (stored.ticks, stored.contradicting) == ({A: 2}, {A: 1})
    assert counts(db) == (1, 1)


def test_of_trades_that_were_rolled_away_the_time_tells(db: sqlite3.Connection) -> None:
    store = TickStore(db, [A])
    store.write(Batch([*map(trade, range(1, 1001))]))
    db.execute("DELETE FROM ticks WHERE trade_id <= 500")
    store = TickStore(db, [A])
    known, later = trade(3), changed(trade(4), time_ms=trade(700).time_ms)
    assert store.write(Batch([known, later])).contradicting == {A: 1}
    assert counts(db) == (1, 1)


def test_what_fills_a_hole_may_be_of_any_time(db: sqlite3.Connection) -> None:
    """An id from nowhere leaves a hole that the live trades go on to fill, hours later."""
    store = TickStore(db, [A])
    store.write(Batch([trade(1), changed(trade(1), trade_id=10_000)]))
    stored = store.write(Batch([*map(trade, range(2, 900))]))
    assert (stored.ticks, stored.contradicting) == ({A: 898}, {})
    assert store.gaps.missing(A) == (IdRange(900, 9999),)


def test_after_a_break_a_repeat_of_the_first_trade_is_a_repeat(db: sqlite3.Connection) -> None:
    """The clock of the pipeline does not follow it yet."""
    store = TickStore(db, [A])
    store.write(Batch([*map(trade, range(1, 11))]))
    late = [changed(trade(i), time_ms=trade(i).time_ms + YEAR_MS) for i in (11, 12)]
    store.write(Batch(late))
    assert store.last_time_ms(A) != late[-1].time_ms
    for process in (store, TickStore(db, [A])):
        assert process.write(Batch(late)).contradicting == {}
        assert not process.contradictions.is_again(late[-1])
    assert counts(db) == (4, 0)
    assert store.contradictions.is_again(changed(trade(3), time_ms=late[0].time_ms + YEAR_MS))


def test_events_that_are_no_trades_contradict_nothing(db: sqlite3.Connection) -> None:
    store = TickStore(db, [A])
    events = [MarketTrade(A, i, START_MS + i, 1.5, 2.0, False) for i in (1, 2, 4)]
    store.write(Batch([*events, OffMarket("", A, 3)]))
    stored = store.write(Batch([OffMarket("", A, 3), OffMarket("", A, 1), events[0]]))
    assert stored.contradicting == {}
    assert counts(db) == (3, 0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60), st.sampled_from([0, 2, 17]))
def test_any_batching_and_memory_finds_the_same(
    tmp_path_factory: pytest.TempPathFactory, seed: int, size: int, bits: int
) -> None:
    """Every trade twice, as by two connections, and some of the repeats are others."""
    chance = random.Random(seed)
    first = [trade(i, s) for i in range(1, 120) for s in (A, B)]
    wrong = set(chance.sample(range(len(first)), 15))
    events = []
    for at, event in enumerate(first):
        events.append(event)
        events.insert(
            chance.randrange(max(0, len(events) - 5), len(events) + 1),
            event,
        )
        if at in wrong:
            events.append(changed(event, qty=event.qty + 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digests, "_BITS", bits)
        with closing(quick_writer(Lake(tmp_path_factory.mktemp("lake")))) as db:
            store = TickStore(db, [A, B])
            for start in range(0, len(events), size):
                store.write(Batch(events[start : start + size]))
            found = [sum(counts(db, s)[i] for s in (A, B)) for i in (0, 1)]
            assert db.execute("SELECT count(*) FROM ticks").fetchone() == (238,)
    assert found == [238, 15]


def test_digests_never_take_one_trade_for_another() -> None:
    memory, chance = Digests(), np.random.default_rng(1)
    codes, ids = chance.integers(0, 700, 300_000), chance.integers(0, 2**52, 300_000)
    values = chance.integers(-(2**62), 2**62, 300_000)
    memory.put(codes, ids, values)
    kept = memory.have(codes, ids, values)
    assert 0.3 * 2**17 < kept.sum() <= 2**17
    assert not memory.have(codes, ids, values + 1).any()
    assert not memory.have(codes + 1, ids, values).any()
    assert not memory.have(codes, ids + 1, values).any()


@pytest.mark.parametrize(
    ("trade_id", "time_ms", "expected"),
    [
        (1, 10**12, True),
        (9, 160_001, True),
        (9, 160_000, False),
        (10, 10**12, False),
        (5, 1, False),
    ],
)
def test_when_ids_begin_again(trade_id: int, time_ms: int, expected: bool) -> None:
    assert begins_again(trade_id, time_ms, 9, 100_000) is expected


def test_gaps_of_a_symbol_without_trades_can_be_lost_after_a_restart(
    lake: Lake, db: sqlite3.Connection
) -> None:
    """Only events that are no trades were seen of it before."""
    TickStore(db, [A]).write(Batch([OffMarket("", A, 3), OffMarket("", A, 9)]))
    store = TickStore(db, [A])
    store.close_as_lost(A, IdRange(4, 8), "only aggTrade can be fetched by id")
    assert rows_of(lake, "SELECT first_id, last_id, state FROM gaps") == [(4, 8, "lost")]
    assert store.write(Batch([trade(10)])).ticks == {A: 1}


def at(event: AggTrade, trade_id: int) -> AggTrade:
    return changed(event, trade_id=trade_id, time_ms=START_MS - YEAR_MS)


def test_a_live_capture_says_so_and_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What comes is no silence, so nothing is asked and no connection is replaced."""
    lake = Lake(tmp_path)
    fill(lake, [at(trade(1), i) for i in range(1, 1001)])

    async def ids_from_one(_: FakeServer, connection: ServerConnection) -> None:
        for trade_id in range(1, 100_000):
            await connection.send(frame(trade_id))
            await connection.send(frame(trade_id, B))
            await asyncio.sleep(0.01)

    async def scenario() -> None:
        async with fake_server(ids_from_one) as fake:
            settings = settings_for(fake, silence_seconds=2.0)
            settings = settings.model_copy(update={"symbols": [A, B]})
            async with collecting(lake, settings):
                await until(lambda: counter(lake, "contradicting") >= 300)
            assert len(fake.paths) == 1

    asyncio.run(scenario())
    assert "BTCUSDT is another contract now" in caplog.text
    assert counter(lake, "duplicates") == 0
    assert rows_of(lake, SYMBOL_ROWS)[0] == (A, 1, 1000, 1000)
    assert "its stream is silent" not in caplog.text


def test_a_silent_stream_is_found_though_the_ids_begin_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = Lake(tmp_path)
    fill(lake, [at(trade(1), i) for i in range(1, 1001)])

    async def silent(_: FakeServer, connection: ServerConnection) -> None:
        await connection.wait_closed()

    async def scenario() -> None:
        async with fake_server(silent) as fake:
            fake.pages = lambda _: [len(fake.asked)]
            settings = settings_for(fake, silence_seconds=0.3)
            settings = settings.model_copy(update={"symbols": [A]})
            async with collecting(lake, settings):
                await until(lambda: len(fake.paths) >= 2)

    asyncio.run(scenario())
    assert "no trade of BTCUSDT" in caplog.text
    assert counter(lake, "contradicting") >= 1
    assert rows_of(lake, SYMBOL_ROWS) == [(A, 1, 1000, 1000)]
