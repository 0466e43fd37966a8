"""Gaps are filled through REST, within its limits, and what cannot be filled stays on record."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection

from collector.repair.page import read_page
from collector.rest import RestClient, RestError, RestRefusedError, WeightBudget
from simulator import (
    Drop,
    Faults,
    Limits,
    Recording,
    RestFailure,
    SimulatedExchange,
    Tamper,
    When,
)
from spreadlake.binance.decode import AggTrade
from spreadlake.lake import Lake
from spreadlake.trades import IdRange
from tests.collector.fake import FakeServer, fake_server, frame
from tests.collector.lakes import fill, rows_of, trade
from tests.collector.live import (
    FAST,
    all_caught_up,
    collecting,
    counter,
    differences,
    market,
    more_ticks,
    open_gaps,
    settings_for,
    ticks,
    until,
    way,
)


def page(*ids: int) -> list[AggTrade]:
    return [trade(i) for i in ids]


@pytest.mark.parametrize(
    ("ids", "missing", "absent", "begins"),
    [
        ((5, 6, 7, 8, 9), (5, 6, 7, 8), None, 5),
        ((5, 6, 7, 8), (5, 6, 7, 8), None, 5),
        ((8, 6, 5, 7), (5, 6, 7, 8), None, 5),
        ((7, 8, 9), (7, 8), (5, 6), 7),
        ((5, 7, 8), (5, 7, 8), None, 5),
        ((6, 7), (6, 7), (5, 5), 6),  # 8 may be on its way
        ((5, 8, 9, 11, 12, 13, 40), (5, 8, 11, 12), None, 5),
        ((20, 21), (), (5, 8), None),
        ((11, 20), (11,), (5, 8), None),
        ((1, 2, 3), (), None, None),  # REST is behind the stream
        ((), (), None, None),
    ],
)
def test_what_a_page_means_for_a_gap(
    ids: tuple[int, ...],
    missing: tuple[int, ...],
    absent: tuple[int, int] | None,
    begins: int | None,
) -> None:
    holes = [IdRange(2, 3), IdRange(5, 8), IdRange(11, 12), IdRange(30, 35)]
    reading = read_page(IdRange(5, 8), page(*ids), holes)
    assert reading.trades == page(*missing)
    assert reading.absent == (None if absent is None else IdRange(*absent))
    assert reading.begins_ms == (None if begins is None else trade(begins).time_ms)


def test_the_budget_holds_in_any_minute() -> None:
    budget, now, spent = WeightBudget(100), 0.0, []
    for _ in range(30):
        while delay := budget.delay(20, now):
            now += delay
        budget.spend(20, now)
        spent.append(now)
        now += 1.3
    for at in spent:
        assert sum(20 for other in spent if at - 59.999 < other <= at) <= 100
    assert now < 30 * 20 / 100 * 60


def test_the_budget_waits_as_long_as_the_exchange_says() -> None:
    budget = WeightBudget(100)
    budget.block(30.0, 100.0)
    assert budget.delay(1, 110.0) == 20.0
    assert budget.delay(1, 130.0) == 0.0


def test_a_request_heavier_than_the_budget_is_not_kept_back_for_ever() -> None:
    assert WeightBudget(10).delay(20, 0.0) == 0.0


async def requests(exchange: SimulatedExchange, *failures: RestFailure) -> list[str]:
    """What a request comes to with each failure."""
    said = []
    assert exchange.faults is not None
    for failure in failures:
        exchange.faults.add(failure)
        timeout = 0.5 if failure.how == "timeout" else 60.0
        async with RestClient(way(exchange.rest_url), WeightBudget(2400), timeout) as rest:
            try:
                await rest.latest_trades("BTCUSDT", 5)
            except RestError as error:
                said.append(str(error))
    return said


def test_every_failure_of_rest_is_one_kind_of_error(tmp_path: Path) -> None:
    async def scenario() -> list[str]:
        async with SimulatedExchange(market(), faults=Faults()) as exchange:
            return await requests(
                exchange,
                RestFailure("status", status=503),
                RestFailure("status", status=429, retry_after=7),
                RestFailure("malformed"),
                RestFailure("timeout", seconds=3600),
                RestFailure("reset"),
                RestFailure("status", status=200, body=b"[" * 100_000),
            )

    said = asyncio.run(scenario())
    assert len(said) == 6
    assert "not understood" in said[5]
    assert "503" in said[0]
    assert "waiting 7 s" in said[1]
    assert "not understood" in said[2]


def test_a_refused_request_is_told_apart(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            SimulatedExchange(market()) as exchange,
            RestClient(way(exchange.rest_url), WeightBudget(2400)) as rest,
        ):
            await rest.latest_trades("NOSUCHUSDT", 5)

    with pytest.raises(RestRefusedError, match="Invalid symbol"):
        asyncio.run(scenario())


def test_lost_and_dropped_trades_are_repaired_though_rest_stumbles(tmp_path: Path) -> None:
    faults = Faults(
        [
            Tamper("lost", when=When(frame=50, symbol="BTCUSDT", times=7)),
            RestFailure("status", status=503, when=When(frame=50, times=2)),
            RestFailure("status", status=429, retry_after=1, when=When(frame=51)),
            Drop(when=When(frame=200)),
            RestFailure("malformed", when=When(frame=200)),
            RestFailure("reset", when=When(frame=201)),
        ]
    )

    async def scenario() -> dict[str, int]:
        lake = Lake(tmp_path)
        async with SimulatedExchange(market(), faults=faults) as exchange:
            async with collecting(lake, settings_for(exchange)):
                await until(lambda: not faults.pending)
                await all_caught_up(lake, exchange)
                await until(lambda: ticks(lake) > 250)
            assert counter(lake, "repaired_ticks") >= 7
            assert counter(lake, "gaps") >= 1
            assert counter(lake, "rest_errors") == 5
            states = rows_of(lake, "SELECT DISTINCT state FROM gaps")
            assert states == [("repaired",)]
            return differences(lake, exchange)

    found = asyncio.run(scenario())
    assert found.pop("right") > 250
    assert found == {"missing": 0, "twice": 0, "wrong": 0}


def test_live_trades_do_not_wait_for_a_repair_that_is_over_its_budget(tmp_path: Path) -> None:
    faults = Faults([Tamper("lost", when=When(frame=60, times=5))])
    limits = Limits(weight_per_minute=1)  # enough for exchangeInfo, and never for aggTrades

    async def scenario() -> None:
        lake = Lake(tmp_path)
        async with (
            SimulatedExchange(market(), faults=faults, limits=limits) as exchange,
            collecting(lake, settings_for(exchange, request_weight=20)),
        ):
            await until(lambda: open_gaps(lake))
            stored = ticks(lake)
            await until(lambda: ticks(lake) > stored + 300)
            assert open_gaps(lake)

    asyncio.run(scenario())


def test_a_gap_from_before_the_repair_limit_is_lost(tmp_path: Path) -> None:
    """The lake was left long ago; of what came since only the last hours are fetched."""

    async def scenario() -> None:
        lake = Lake(tmp_path)
        hour = 3_600_000
        async with SimulatedExchange(market(rate=20)) as exchange:
            now = exchange.clock_ms()
            old = exchange.truth(since_ms=now - hour, until_ms=now - hour + 60_000)
            event = trade(int(old["BTCUSDT"].ids[0]))
            event.time_ms = int(old["BTCUSDT"].times_ms[0])
            fill(lake, [event])
            settings = settings_for(exchange, repair_hours=0.01)
            async with collecting(lake, settings):
                query = "SELECT state, cause, message FROM gaps WHERE state = 'lost'"
                await until(lambda: rows_of(lake, query))
                await until(lambda: not open_gaps(lake))
            lost = ("lost", "restart", "older than collector.repair_hours = 0.01")
            assert rows_of(lake, query) == [lost]
            first, last = rows_of(lake, "SELECT first_id, last_id FROM gaps WHERE state='lost'")[0]
            truth = exchange.truth(since_ms=now - 2 * hour)["BTCUSDT"]
            kept = truth.times_ms[truth.ids > int(str(last))]
            assert int(str(first)) == event.trade_id + 1
            assert now - 36_000 <= int(kept[0]) < exchange.clock_ms()

    asyncio.run(scenario())


def test_trades_that_the_exchange_does_not_have_are_lost(tmp_path: Path) -> None:
    recording = tmp_path / "holes.jsonl"
    ids = [*range(1, 51), *range(60, 101)]
    lines = (f"{1_700_000_000_000_000_000 + i} {frame(i)}" for i in ids)
    recording.write_text("\n".join(lines))

    async def scenario() -> None:
        lake = Lake(tmp_path / "lake")
        async with SimulatedExchange(Recording([recording]), speed="max") as exchange:
            settings = settings_for(exchange).model_copy(update={"symbols": ["BTCUSDT"]})
            async with collecting(lake, settings):
                await until(lambda: ticks(lake) == len(ids) and not open_gaps(lake))
            query = "SELECT first_id, last_id, state, message FROM gaps"
            lost = (51, 59, "lost", "the exchange does not have these trades")
            assert rows_of(lake, query) == [lost]

    asyncio.run(scenario())


def test_an_id_from_nowhere_does_not_keep_the_repair_busy(tmp_path: Path) -> None:
    """A trade far ahead of all others: what is between does not exist, and later comes live."""

    async def scenario() -> None:
        lake = Lake(tmp_path)
        async with SimulatedExchange(market()) as exchange:
            columns = exchange.truth(since_ms=exchange.clock_ms() - 5_000)["BTCUSDT"]
            events = [trade(int(columns.ids[0])), trade(int(columns.ids[-1]) + 10_000_000)]
            for event in events:
                event.time_ms = int(columns.times_ms[0])
            fill(lake, [*events])
            seldom = replace(FAST, ask_again_cap=3600.0, ask_again=3600.0)
            async with collecting(lake, settings_for(exchange), seldom):
                # What the exchange does not have yet may come: it stays open, and is not asked
                # for again and again.
                await until(lambda: open_gaps(lake) == 1 and counter(lake, "repaired_ticks"))
                requests = -1.0
                while requests != counter(lake, "rest_requests"):
                    requests = counter(lake, "rest_requests")
                    await more_ticks(lake, 200)
                assert open_gaps(lake) == 1
            query = "SELECT max(trade_id) - min(trade_id) + 1 - count(*) FROM ticks WHERE "
            real = f"symbol = 'BTCUSDT' AND trade_id < {events[1].trade_id}"
            assert rows_of(lake, query + real) == [(0,)]

    asyncio.run(scenario())


def test_a_lake_of_trade_ids_records_what_it_cannot_repair(tmp_path: Path) -> None:
    async def jump(_: FakeServer, connection: ServerConnection) -> None:
        for trade_id in (1, 2, 9):
            text = frame(trade_id).replace("aggTrade", "trade").replace('"a":', '"t":')
            await connection.send(text)
        await connection.wait_closed()

    async def scenario() -> None:
        lake = Lake(tmp_path)
        async with fake_server(jump) as fake:
            settings = settings_for(fake)
            exchange = settings.exchange.model_copy(update={"trades": "trade"})
            async with collecting(lake, settings.model_copy(update={"exchange": exchange})):
                query = "SELECT first_id, last_id, message FROM gaps WHERE state = 'lost'"
                await until(lambda: rows_of(lake, query))
            assert rows_of(lake, query) == [(3, 8, "only aggTrade can be fetched by id")]

    asyncio.run(scenario())


def test_a_gap_that_is_open_at_the_end_is_counted(tmp_path: Path) -> None:
    async def jump(_: FakeServer, connection: ServerConnection) -> None:
        for trade_id in (1, 2, 9):
            await connection.send(frame(trade_id))
        await connection.wait_closed()

    async def scenario() -> None:
        lake, patient = Lake(tmp_path), replace(FAST, disorder=3600.0)
        async with fake_server(jump) as fake, collecting(lake, settings_for(fake), patient):
            await until(lambda: open_gaps(lake))
            assert counter(lake, "gaps") == 0
        assert open_gaps(lake) == 1
        assert counter(lake, "gaps") == 1

    asyncio.run(scenario())
