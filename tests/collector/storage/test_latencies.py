"""Latencies of live trades: counted once, by whichever batch, and not lost by a failed commit."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.storage.batch import Batch
from collector.storage.store import TickStore
from simulator import SimulatedExchange
from spreadlake.lake import Lake, read_counters
from spreadlake.latency import BUCKETS, COMMIT, RECEIVE, counted, cumulative, negative
from spreadlake.trades import OffMarket, TradeEvent
from tests.collector.lakes import A, quick_writer, trade
from tests.collector.live import collecting, market, settings_for, ticks, until

NOW_MS = 1_700_100_000_000


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(quick_writer(Lake(tmp_path))) as connection:
        yield connection


def told(trade_id: int, event_ms: int, received_ms: int) -> TradeEvent:
    event = trade(trade_id)
    event.event_ms, event.received_ms = event_ms, received_ms
    return event


def found(db: sqlite3.Connection, name: str) -> tuple[dict[str, float], float]:
    buckets, total = cumulative(name, read_counters(db))
    return dict(buckets), total


def test_receipt_and_commit_are_counted_in_their_buckets(db: sqlite3.Connection) -> None:
    store = TickStore(db, [A], lambda: NOW_MS + 700)
    events = [
        told(1, NOW_MS, NOW_MS + 5),
        told(2, NOW_MS, NOW_MS + 6),
        told(3, NOW_MS, NOW_MS + 90_000),
    ]
    store.write(Batch([*events, OffMarket("", A, 4)]))
    receive, total = found(db, RECEIVE)
    assert (receive["0.005"], receive["0.01"], receive["60.0"], receive["+Inf"]) == (1, 2, 2, 3)
    assert total == pytest.approx(90.011)
    # What a commit took is known after it: the next transaction says so, whichever it is.
    assert found(db, COMMIT)[0]["+Inf"] == 0
    store.write_status({})
    store.write_status({})
    commit, total = found(db, COMMIT)
    assert (commit["0.5"], commit["1.0"], commit["+Inf"]) == (0, 3, 3)
    assert total == pytest.approx(2.1)


def test_a_later_process_counts_on(db: sqlite3.Connection) -> None:
    for n in range(3):
        store = TickStore(db, [A], lambda: NOW_MS)
        store.write(Batch([told(n, NOW_MS - 40, NOW_MS - 20)]))
        store.write(Batch([], source="repair"))
    assert found(db, RECEIVE)[0]["0.025"] == found(db, COMMIT)[0]["0.05"] == 3


def test_only_what_is_live_and_new_is_counted(db: sqlite3.Connection) -> None:
    store = TickStore(db, [A], lambda: NOW_MS)
    live = told(1, NOW_MS - 40, NOW_MS - 20)
    store.write(Batch([live, live]))
    store.write(Batch([told(5, NOW_MS - 40, NOW_MS - 20)], source="repair"))
    store.write(Batch([told(0, NOW_MS - 40, NOW_MS - 20)], source="history"))
    store.write_status({})
    assert found(db, RECEIVE)[0]["+Inf"] == found(db, COMMIT)[0]["+Inf"] == 1


def test_a_clock_that_is_behind_counts_as_no_time_and_is_told(db: sqlite3.Connection) -> None:
    store = TickStore(db, [A], lambda: NOW_MS)
    store.write(Batch([told(1, NOW_MS + 500, NOW_MS), told(2, NOW_MS, NOW_MS)]))
    store.write_status({})
    for name in (RECEIVE, COMMIT):
        buckets, total = found(db, name)
        assert (buckets["0.005"], buckets["+Inf"], total) == (2, 2, 0)
        assert negative(name, read_counters(db)) == 1


def test_a_commit_that_fails_is_counted_once_when_it_succeeds(db: sqlite3.Connection) -> None:
    store = TickStore(db, [A], lambda: NOW_MS)
    store.write(Batch([told(1, NOW_MS - 40, NOW_MS - 20)]))
    second = Batch([told(2, NOW_MS - 40, NOW_MS - 20)])
    db.execute(
        "CREATE TEMP TRIGGER no BEFORE INSERT ON main.ticks BEGIN SELECT RAISE(FAIL, 'x'); END"
    )
    with pytest.raises(sqlite3.Error):
        store.write(second)
    db.execute("DROP TRIGGER no")
    store.write(second)
    store.write_status({})
    assert found(db, RECEIVE)[0]["+Inf"] == found(db, COMMIT)[0]["+Inf"] == 2


@given(st.lists(st.integers(-10_000, 100_000)), st.integers(0, 20))
def test_any_batching_counts_the_same(latencies: list[int], cut: int) -> None:
    whole = counted("x", np.array(latencies, np.int64))
    parts = [counted("x", np.array(part, np.int64)) for part in (latencies[:cut], latencies[cut:])]
    summed = {key: sum(part.get(key, 0.0) for part in parts) for key in {*parts[0], *parts[1]}}
    assert summed == pytest.approx(whole)
    buckets = dict(cumulative("x", whole)[0])
    for bound in BUCKETS:
        assert buckets[str(bound)] == sum(value <= bound * 1000 for value in latencies)


def test_every_live_trade_is_counted_on_its_way(tmp_path: Path) -> None:
    async def scenario() -> None:
        lake = Lake(tmp_path)
        async with (
            SimulatedExchange(market()) as exchange,
            collecting(lake, settings_for(exchange)),
        ):
            await until(lambda: ticks(lake) > 200)

    asyncio.run(scenario())
    with closing(quick_writer(Lake(tmp_path))) as db:
        stored = ticks(Lake(tmp_path))
        assert found(db, RECEIVE)[0]["+Inf"] == found(db, COMMIT)[0]["+Inf"] == stored
        assert found(db, RECEIVE)[1] <= found(db, COMMIT)[1]
