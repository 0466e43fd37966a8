"""Each fault happens when it is planned, to whom it is planned, and is over when it should be."""

import asyncio
import json
from collections.abc import Sequence
from itertools import pairwise

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from simulator import (
    Delay,
    Drop,
    DropAfterAccept,
    Faults,
    HalfOpen,
    Plan,
    RefuseHandshake,
    RestFailure,
    SimulatedExchange,
    Stall,
    SyntheticMarket,
    Tamper,
    When,
    random_faults,
)
from spreadlake.binance.decode import AggTrade, FrameDecoder
from spreadlake.trades import FrameError
from tests.simulator.clients import (
    DEADLINE,
    SYMBOLS,
    combined,
    decoded,
    get,
    opened,
    read_to_the_end,
    silent,
    take,
    until,
)


def exchange(*plans: Plan, speed: float = 20.0) -> SimulatedExchange:
    return SimulatedExchange(SyntheticMarket(1, SYMBOLS), speed=speed, faults=Faults(plans))


async def frames_of(*plans: Plan, count: int = 250, symbols: Sequence[str] = SYMBOLS) -> list[str]:
    async with exchange(*plans) as served, opened(served, combined(*symbols)) as client:
        frames = await take(client, count)
        assert served.faults.fired == list(plans)
        assert served.faults.pending == 0
        return frames


def ids(frames: list[str], symbol: str = "BTCUSDT") -> list[int]:
    return [trade.trade_id for trade in decoded(frames) if trade.symbol == symbol]


def jumps(numbers: list[int]) -> list[int]:
    """Every step between neighbours that is not 1."""
    steps = (later - number for number, later in pairwise(numbers))
    return [step for step in steps if step != 1]


def test_lost_frames_leave_a_hole_of_their_number() -> None:
    plan = Tamper("lost", when=When(frame=10, symbol="BTCUSDT", times=3))
    frames = asyncio.run(frames_of(plan))
    assert jumps(ids(frames)) == [4]
    assert jumps(ids(frames, "ETHUSDT")) == []


def test_duplicated_and_late_frames_lose_nothing() -> None:
    plans = (Tamper("duplicated", when=When(frame=5)), Delay(6, when=When(frame=20)))
    frames = asyncio.run(frames_of(*plans, symbols=["BTCUSDT"]))
    numbers = ids(frames)
    assert jumps(numbers) == [0, 2, -6, 7]
    assert set(numbers) == set(range(numbers[0], max(numbers) + 1))
    assert frames[4] == frames[5]


def test_a_tampered_frame_arrives_as_it_was_made() -> None:
    plan = Tamper("price nan", when=When(frame=3))
    frames = asyncio.run(frames_of(plan, count=20))
    assert [json.loads(frame)["data"]["p"] for frame in frames].count("NaN") == 1


def test_one_symbol_goes_silent_for_a_time_while_others_flow() -> None:
    async def scenario() -> None:
        plan = Tamper("lost", when=When(frame=20, symbol="BTCUSDT", lasting=0.3))
        async with exchange(plan) as served, opened(served, combined(*SYMBOLS)) as client:
            frames = await take(client, 20)
            while len(jumps(ids(frames))) == 0:
                frames += await take(client, 1)
            [jump] = jumps(ids(frames))
            assert jump > 1
            assert jumps(ids(frames, "ETHUSDT")) == []
            assert served.faults.fired == [plan]
            # What the stream lost, REST still has.
            lost = max(ids(frames)) - 1
            reply = await get(served, f"/fapi/v1/aggTrades?symbol=BTCUSDT&fromId={lost}&limit=1")
            assert [row["a"] for row in reply.json()] == [lost]

    asyncio.run(scenario())


@pytest.mark.parametrize(("reset", "code"), [(True, None), (False, 1011)])
def test_a_drop_ends_the_connection_and_the_next_one_lives(reset: bool, code: int | None) -> None:
    async def scenario() -> None:
        plan = Drop(reset, 1011, when=When(frame=30))
        async with exchange(plan) as served:
            async with opened(served, combined("BTCUSDT")) as client:
                received: list[str] = []
                with pytest.raises(ConnectionClosed) as closed:
                    await read_to_the_end(client, received)
                assert len(received) < 30
                assert (closed.value.rcvd and closed.value.rcvd.code) == code
                assert isinstance(closed.value.__cause__, ConnectionResetError) == reset
            async with opened(served, combined("BTCUSDT")) as client:
                assert len(await take(client, 60)) == 60
            await until(lambda: served.status()["connections"] == 0)

    asyncio.run(scenario())


def test_a_fault_of_one_connection_spares_the_others() -> None:
    async def scenario() -> None:
        plan = Drop(when=When(connection=2))
        async with exchange(plan) as served, opened(served, combined("BTCUSDT")) as first:
            async with opened(served, combined("BTCUSDT")) as second:
                with pytest.raises(ConnectionClosed):
                    await asyncio.wait_for(second.recv(), DEADLINE)
            assert len(await take(first, 60)) == 60

    asyncio.run(scenario())


def test_a_half_open_connection_neither_sends_nor_answers_pings() -> None:
    async def scenario() -> None:
        plan = HalfOpen(seconds=0.5, when=When(frame=10))
        async with exchange(plan) as served, opened(served, combined("BTCUSDT")) as client:
            await until(lambda: served.faults.fired == [plan])
            answer = await client.ping()
            with pytest.raises(ConnectionClosed):
                await read_to_the_end(client, [])
            with pytest.raises(ConnectionClosed):
                await answer

    asyncio.run(scenario())


def test_a_stall_holds_everything_up() -> None:
    async def scenario() -> None:
        plan = Stall(3600.0, when=When(frame=1, connection=2))
        async with (
            exchange(plan) as served,
            opened(served, combined("BTCUSDT")) as witness,
            opened(served, combined("BTCUSDT")) as client,
        ):
            await until(lambda: served.faults.fired == [plan])
            await take(witness, 60)
            assert await silent(client)

    asyncio.run(scenario())


def test_what_a_stall_held_up_comes_later() -> None:
    frames = asyncio.run(frames_of(Stall(0.2, when=When(frame=10)), symbols=["BTCUSDT"]))
    assert jumps(ids(frames)) == []


def test_refused_handshakes_and_connections_that_end_at_once() -> None:
    async def scenario() -> None:
        plans = (
            RefuseHandshake(429, when=When(times=2)),
            DropAfterAccept(when=When(times=1)),
            DropAfterAccept(reset=False, when=When(connection=2)),
        )
        async with exchange(*plans) as served:
            for _ in range(2):
                with pytest.raises(InvalidStatus) as refused:
                    await connect(served.ws_url + combined("BTCUSDT"))
                assert refused.value.response.status_code == 429
            for _ in range(2):
                async with opened(served, combined("BTCUSDT")) as client:
                    with pytest.raises(ConnectionClosed):
                        await asyncio.wait_for(client.recv(), DEADLINE)
            async with opened(served, combined("BTCUSDT")) as client:
                assert len(await take(client, 20)) == 20
            assert served.faults.fired == list(plans)

    asyncio.run(scenario())


def test_rest_failures() -> None:
    async def scenario() -> None:
        plans = (
            RestFailure("status", status=502),
            RestFailure("status", status=418, retry_after=7),
            RestFailure("malformed"),
            RestFailure("reset"),
            RestFailure("timeout", seconds=0.05),
        )
        async with exchange(*plans) as served:
            assert (await get(served, "/fapi/v1/time")).status_code == 502
            banned = await get(served, "/fapi/v1/time")
            assert (banned.status_code, banned.headers["Retry-After"]) == (418, "7")
            broken = await get(served, "/fapi/v1/time")
            assert broken.status_code == 200
            with pytest.raises(json.JSONDecodeError):
                broken.json()
            for _ in range(2):
                with pytest.raises(httpx.TransportError):
                    await get(served, "/fapi/v1/time")
            assert (await get(served, "/fapi/v1/time")).json()["serverTime"] > 0

    asyncio.run(scenario())


def test_a_request_that_is_never_answered_does_not_keep_the_exchange_open() -> None:
    async def scenario() -> None:
        plan = RestFailure("timeout", seconds=3600)
        async with exchange(plan) as served:
            asking = asyncio.create_task(get(served, "/fapi/v1/time"))
            await until(lambda: served.faults.fired == [plan])
        with pytest.raises(httpx.TransportError):
            await asking

    asyncio.run(asyncio.wait_for(scenario(), DEADLINE))


def test_faults_can_be_added_while_it_runs() -> None:
    async def scenario() -> None:
        async with exchange() as served, opened(served, combined("BTCUSDT")) as client:
            frames = await take(client, 10)
            served.faults.add(Tamper("lost", when=When(times=5)))
            while not jumps(ids(frames)):
                frames += await take(client, 1)
            assert jumps(ids(frames)) == [6]

    asyncio.run(scenario())


def test_random_faults_are_those_of_their_seed_and_of_every_kind() -> None:
    plans = random_faults(5, 400, 10_000)
    assert plans == random_faults(5, 400, 10_000)
    assert plans != random_faults(6, 400, 10_000)
    assert len(plans) == 400
    kinds = {Tamper, Delay, Drop, HalfOpen, Stall, RefuseHandshake, DropAfterAccept, RestFailure}
    assert {type(plan) for plan in plans} == kinds
    assert all(0 <= plan.when.frame < 10_000 for plan in plans)


def test_a_client_that_always_comes_back_outlives_random_faults() -> None:
    """Together, what comes through the stream again and again and REST's answers are whole."""

    async def scenario() -> None:
        plans = [p for p in random_faults(9, 60, 1500) if not isinstance(p, HalfOpen | RestFailure)]
        seen: set[int] = set()
        decoder = FrameDecoder("aggTrade")
        async with exchange(*plans, speed=60.0) as served, asyncio.timeout(2 * DEADLINE):
            while served.faults.pending:
                try:
                    async with opened(served, combined("BTCUSDT")) as client:
                        async for frame in client:
                            try:
                                event = decoder.decode(frame)
                            except FrameError:
                                continue
                            if isinstance(event, AggTrade):
                                seen.add(event.trade_id)
                            if not served.faults.pending:
                                break
                except (ConnectionClosed, InvalidStatus, EOFError, OSError):
                    await asyncio.sleep(0.01)
            truth = set(served.truth()["BTCUSDT"].ids.tolist())
            assert len(served.faults.fired) == len(plans)
            assert seen < truth
            assert len(seen) > 500

    asyncio.run(scenario())
