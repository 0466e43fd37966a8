"""Two connections carry every stream: what one of them misses, or brings late, the other has."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.storage.batch import Batch
from collector.storage.store import TickStore
from collector.stream.ages import due_time
from collector.stream.arbitration import Arbiter
from collector.stream.frame_reader import FrameReader
from collector.timing import Timing
from simulator import (
    Drop,
    Faults,
    HalfOpen,
    Lag,
    RefuseHandshake,
    SimulatedExchange,
    Stall,
    Tamper,
    When,
)
from spreadlake import binance
from spreadlake.lake import Lake
from tests.collector.fake import frame
from tests.collector.lakes import A, B, quick_writer, rows_of
from tests.collector.live import (
    FAST,
    all_caught_up,
    collecting,
    counter,
    differences,
    drawn_faults,
    market,
    more_ticks,
    settings_for,
    ticks,
    until,
)

CLEAN = {"missing": 0, "twice": 0, "wrong": 0}
Step = Callable[[Lake, SimulatedExchange], Awaitable[None]]


def of_connection(lake: Lake, name: str, number: int) -> float:
    query = f"SELECT total(value) FROM counters WHERE name = '{name}' AND symbol = '{number}'"
    return float(str(rows_of(lake, query)[0][0]))


async def both_bring(lake: Lake, trades: int = 20) -> None:
    """Waits until each connection has brought so many trades more, first or after the other."""

    def brought(number: int) -> float:
        return of_connection(lake, "first", number) + of_connection(lake, "repeated", number)

    before = {number: brought(number) for number in (1, 2)}
    await until(lambda: all(brought(n) >= before[n] + trades for n in (1, 2)))


# Half a second without a word is no fault: a busy machine takes as long.
PATIENT = replace(FAST, outrun=30.0)


def captured_through(
    tmp_path: Path, faults: Faults, step: Step, timing: Timing = FAST, **collector: float
) -> Lake:
    """Captures by two connections while `step` happens; nothing is missing, REST was not asked."""
    lake = Lake(tmp_path)

    async def scenario() -> dict[str, int]:
        async with SimulatedExchange(market(rate=100), faults=faults) as exchange:
            two = settings_for(exchange, connections_per_symbol=2, **collector)
            async with collecting(lake, two, timing):
                await both_bring(lake)
                await step(lake, exchange)
                await both_bring(lake)
            return differences(lake, exchange)

    found = asyncio.run(scenario())
    assert found.pop("right") > 50
    assert found == CLEAN
    assert rows_of(lake, "SELECT * FROM gaps") == []
    assert counter(lake, "gaps") == counter(lake, "repaired_ticks") == 0
    assert counter(lake, "rest_requests") <= 1  # the list of symbols, at the start
    return lake


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("reset", [True, False])
def test_one_that_is_cut_off_is_no_loss(tmp_path: Path, number: int, reset: bool) -> None:
    faults = Faults()

    async def step(lake: Lake, _: SimulatedExchange) -> None:
        faults.add(Drop(reset=reset, when=When(connection=number)))
        await until(lambda: counter(lake, "reconnects") >= 1)

    lake = captured_through(tmp_path, faults, step)
    assert of_connection(lake, "single_gaps", number) > 0
    assert of_connection(lake, "single_gaps", 3 - number) == 0


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("fault", [Stall, HalfOpen])
def test_one_that_is_silent_is_replaced_without_a_question(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, number: int, fault: type[Stall | HalfOpen]
) -> None:
    faults = Faults()

    async def step(lake: Lake, _: SimulatedExchange) -> None:
        faults.add(fault(600.0, when=When(connection=number)))
        await until(lambda: counter(lake, "reconnects") >= 1)

    captured_through(tmp_path, faults, step)
    assert f"(connection {number}) for" in caplog.text


def test_one_whose_frames_are_lost_is_replaced_though_it_is_open(tmp_path: Path) -> None:
    faults = Faults()

    async def step(lake: Lake, _: SimulatedExchange) -> None:
        faults.add(Tamper("lost", when=When(connection=2, lasting=600)))
        await until(lambda: counter(lake, "reconnects") >= 1)

    captured_through(tmp_path, faults, step)


def test_a_stream_that_one_lost_is_asked_for_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The others on that connection flow, and the symbol comes by the other connection."""
    faults = Faults()

    async def step(lake: Lake, _: SimulatedExchange) -> None:
        faults.add(Tamper("lost", when=When(connection=1, symbol="ETHUSDT", lasting=600)))
        await until(lambda: counter(lake, "reconnects") >= 1)

    captured_through(tmp_path, faults, step, silence_seconds=3)
    assert "ETHUSDT" in caplog.text


def test_what_one_lost_is_no_gap(tmp_path: Path) -> None:
    faults = Faults()

    async def step(lake: Lake, _: SimulatedExchange) -> None:
        for number in (1, 2):
            faults.add(Tamper("lost", when=When(connection=number, times=7)))
            await until(partial(of_connection, lake, "single_gaps", number))

    lake = captured_through(tmp_path, faults, step, PATIENT)
    assert counter(lake, "reconnects") == 0


def test_one_that_is_seconds_late_is_waited_for(tmp_path: Path) -> None:
    """What only it has, because the other one was away, is on its way and no gap."""
    faults = Faults([Lag(2.0, when=When(connection=2))])

    async def step(lake: Lake, _: SimulatedExchange) -> None:
        faults.add(Drop(when=When(connection=1)))
        await until(lambda: counter(lake, "reconnects") >= 1)

    captured_through(tmp_path, faults, step)


def test_what_both_miss_is_repaired(tmp_path: Path) -> None:
    async def scenario() -> dict[str, int]:
        lake, faults = Lake(tmp_path), Faults()
        async with SimulatedExchange(market(rate=100), faults=faults) as exchange:
            async with collecting(lake, settings_for(exchange, connections_per_symbol=2)):
                await both_bring(lake)
                faults.add(
                    Drop(when=When(connection=1)),
                    Drop(when=When(connection=2)),
                    RefuseHandshake(503, when=When(times=2)),
                )
                await until(lambda: counter(lake, "reconnects") >= 2)
                await until(lambda: counter(lake, "repaired_ticks"))
                await both_bring(lake)
                await all_caught_up(lake, exchange)
            assert counter(lake, "gaps") >= 1
            return differences(lake, exchange)

    found = asyncio.run(scenario())
    assert found.pop("right") > 50
    assert found == CLEAN


def test_replacements_in_turn_lose_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path)

    async def scenario() -> dict[str, int]:
        async with SimulatedExchange(market(rate=100)) as exchange:
            hours = 2 / 3600
            two = settings_for(exchange, connections_per_symbol=2, connection_hours=hours)
            async with collecting(lake, two, replace(PATIENT, overlap=0.2)):
                handshakes = exchange._connections
                await until(lambda: exchange._connections > handshakes + 4)
                assert exchange.status()["connections"] <= 3
                await both_bring(lake)
            return differences(lake, exchange)

    found = asyncio.run(scenario())
    assert found.pop("right") > 50
    assert found == CLEAN
    assert rows_of(lake, "SELECT * FROM gaps") == []
    assert counter(lake, "reconnects") == 0


def test_a_recording_has_each_frame_once(tmp_path: Path) -> None:
    lake, path = Lake(tmp_path / "lake"), tmp_path / "frames.jsonl"

    async def scenario() -> None:
        async with SimulatedExchange(market()) as exchange:
            two = settings_for(exchange, connections_per_symbol=2)
            async with collecting(lake, two, record=path):
                await both_bring(lake, 50)

    asyncio.run(scenario())
    frames = [line.split(b" ", 1)[1] for line in path.read_bytes().splitlines()]
    assert len(frames) == len(set(frames)) == ticks(lake)


def test_faults_of_all_kinds_with_two(tmp_path: Path) -> None:
    lake, faults = Lake(tmp_path), drawn_faults(seed=12, count=25, frames=2000)

    async def scenario() -> dict[str, int]:
        async with SimulatedExchange(market(rate=150), faults=faults) as exchange:
            two = settings_for(
                exchange,
                connections_per_symbol=2,
                connection_hours=5 / 3600,
                silence_seconds=3.0,
            )
            async with collecting(lake, two):
                await until(lambda: not faults.pending)
                await all_caught_up(lake, exchange)
                await more_ticks(lake, 200)
            return differences(lake, exchange)

    found = asyncio.run(scenario())
    assert found.pop("right") > 200
    assert found == CLEAN


@settings(max_examples=40, deadline=None)
@given(trades=st.integers(1, 20), remembered=st.sampled_from([1, 3, 1000]), data=st.data())
def test_any_interleaving_of_two_copies_is_one_stream(
    tmp_path_factory: pytest.TempPathFactory, trades: int, remembered: int, data: st.DataObject
) -> None:
    """What is lost of one copy only, and however the two mix, the lake is that of one stream."""
    texts = [frame(i // 2 + 1, (A, B)[i % 2]) for i in range(2 * trades)]
    of_each = st.tuples(st.sampled_from([None, None, 1, 2]), st.booleans())
    chosen = data.draw(st.lists(of_each, min_size=len(texts), max_size=len(texts)))
    copies = {
        number: [
            _copy(text, number, other)
            for text, (missing, other) in zip(texts, chosen, strict=True)
            if missing != number
        ]
        for number in (1, 2)
    }
    turns = data.draw(st.permutations([1] * len(copies[1]) + [2] * len(copies[2])))
    flushes = data.draw(st.sets(st.integers(0, len(turns))))
    lake = Lake(tmp_path_factory.mktemp("lake"))
    _store_in_turns(lake, {n: iter(of) for n, of in copies.items()}, turns, flushes, remembered)
    stored = rows_of(lake, "SELECT symbol, trade_id, price, qty FROM ticks ORDER BY 1, 2")
    assert stored == [(s, i + 1, 100.5, 0.25) for s in (A, B) for i in range(trades)]
    assert rows_of(lake, "SELECT * FROM gaps") == []
    assert counter(lake, "ticks") == counter(lake, "first") == 2 * trades
    again = counter(lake, "repeated") + counter(lake, "duplicates")
    assert again == sum(map(len, copies.values())) - 2 * trades
    for number, copy in copies.items():
        assert of_connection(lake, "single_gaps", number) == _holes(copy)


def _copy(text: str, number: int, differs: bool) -> bytes:
    """The frame as one connection has it; copies that differ are told apart by their ids alone."""
    return (text + " " * number if differs else text).encode()


def _holes(copy: list[bytes]) -> int:
    """How many times the ids of one symbol jump in what a connection brought."""
    last: dict[str, int] = {}
    holes = 0
    for text in copy:
        event = json.loads(text)["data"]
        symbol, trade_id = event["s"], event["a"]
        holes += trade_id - last.get(symbol, trade_id - 1) > 1
        last[symbol] = trade_id
    return holes


def _store_in_turns(
    lake: Lake,
    copies: dict[int, Iterator[bytes]],
    turns: list[int],
    flushes: set[int],
    remembered: int,
) -> None:
    """Reads a frame of the connection whose turn it is, and stores what was read now and then."""
    arbiter = Arbiter(remembered)
    decode = binance.frame_decoder("aggTrade")
    readers = {n: FrameReader(decode, 10**6, lambda: None, arbiter=arbiter) for n in copies}
    with closing(quick_writer(lake)) as db:
        store = TickStore(db, [A, B])
        for turn, number in enumerate(turns):
            asyncio.run(_read_one(readers[number], next(copies[number])))
            if turn in flushes:
                store.write(_batch(readers))
        store.write(_batch(readers))


async def _read_one(reader: FrameReader, text: bytes) -> None:
    frames = iter([text])

    async def receive() -> bytes:
        for one in frames:
            return one
        raise EOFError

    with suppress(EOFError):
        await reader.read(receive)


def _batch(readers: dict[int, FrameReader]) -> Batch:
    taken = {number: reader.take() for number, reader in readers.items()}
    return Batch(
        [event for events, _ in taken.values() for event in events],
        carriers=[(number, len(events)) for number, (events, _) in taken.items()],
        repeats={number: repeats for number, (_, repeats) in taken.items() if repeats},
    )


@given(
    events=st.lists(st.tuples(st.sampled_from([0, 1]), st.floats(0.0, 60.0)), max_size=30),
    connections=st.integers(2, 4),
)
def test_ends_by_age_stay_apart(events: list[tuple[int, float]], connections: int) -> None:
    """Whatever breaks when: the next replacements of two connections are never close."""
    age, now = 23.0, 0.0
    due = {0: due_time(0.0, age, [], 2), 1: 0.0}
    due[1] = due_time(0.0, age, [due[0]], 2)
    assert abs(due[0] - due[1]) >= age / 4
    for which, after in events:
        while min(due.values()) < now + after:
            old = min(due, key=lambda one: due[one])
            opened = due[old]
            due[old] = due_time(opened, age, [due[1 - old]], 2)
            assert opened < due[old] <= opened + age
            assert abs(due[0] - due[1]) >= age / 4 - 1e-9
        now += after
        due[which] = due_time(now, age, [due[1 - which]], 2)
        assert now < due[which] <= now + age
        assert abs(due[0] - due[1]) >= age / 4 - 1e-9
    many = [due_time(0.0, age, [], connections)]
    for _ in range(connections - 1):
        many.append(due_time(0.0, age, many, connections))
    assert len({round(one, 6) for one in many}) == connections
    assert min(many) >= age / connections / 2
