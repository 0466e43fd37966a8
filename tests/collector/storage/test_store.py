"""The store against a real database: what is durable, what is counted, what is on record."""

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.storage.batch import PAUSED, Batch
from collector.storage.store import TickStore
from spreadlake.binance.decode import AggTrade, MarketTrade
from spreadlake.lake import Lake, read_counters
from spreadlake.trades import IdRange, OffMarket, TradeEvent
from tests.collector.lakes import quick_writer

A, B = "BTCUSDT", "ETHUSDT"
GAP_COLUMNS = "symbol, first_id, last_id, cause, state"


def trade(trade_id: int, symbol: str = A) -> AggTrade:
    return AggTrade(symbol, trade_id, 1_700_000_000_000 + trade_id, 100.0 + trade_id, 0.5, True)


def trades(*ids: int, symbol: str = A) -> list[TradeEvent]:
    return [trade(i, symbol) for i in ids]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


@pytest.fixture
def db(lake: Lake) -> Iterator[sqlite3.Connection]:
    connection = quick_writer(lake)
    yield connection
    connection.close()


def reopened(lake: Lake, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(lake.ticks_db)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def ids(lake: Lake, symbol: str = A) -> list[int]:
    rows = reopened(lake, f"SELECT trade_id FROM ticks WHERE symbol = '{symbol}' ORDER BY trade_id")
    return [int(str(row[0])) for row in rows]


def test_a_batch_is_stored_with_its_symbol_row_and_counters(
    lake: Lake, db: sqlite3.Connection
) -> None:
    store = TickStore(db, [A, B])
    stored = store.write(Batch([*trades(5, 6), *trades(9, symbol=B)]))
    assert stored.ticks == {A: 2, B: 1}
    assert reopened(lake, "SELECT * FROM ticks ORDER BY seq") == [
        (1, A, 5, 1_700_000_000_005, 105.0, 0.5, 1, None, None, None, None),
        (2, A, 6, 1_700_000_000_006, 106.0, 0.5, 1, None, None, None, None),
        (3, B, 9, 1_700_000_000_009, 109.0, 0.5, 1, None, None, None, None),
    ]
    assert reopened(lake, "SELECT * FROM symbols") == [
        (A, 5, 6, 1_700_000_000_006, 106.0, 2),
        (B, 9, 9, 1_700_000_000_009, 109.0, 1),
    ]
    counters = read_counters(db)
    assert counters["ticks", A] == 2
    assert counters["batches", ""] == 1


def test_market_trades_are_stored_alike(lake: Lake, db: sqlite3.Connection) -> None:
    events: list[TradeEvent] = [
        MarketTrade(A, i, 1000 + i, 1.5, 2.0, False) for i in range(1, 1205)
    ]
    TickStore(db, [A]).write(Batch(events))
    assert ids(lake) == list(range(1, 1205))
    assert reopened(lake, "SELECT count(*), max(seq), sum(qty) FROM ticks") == [
        (1204, 1204, 2408.0)
    ]


def test_ids_of_no_trades_are_held_but_not_stored(lake: Lake, db: sqlite3.Connection) -> None:
    """Events of the insurance fund count in the ids of `trade` streams."""
    store = TickStore(db, [A, B])
    passed = [OffMarket("a trade with X=NA", A, i) for i in (3, 4, 6, 7)]
    stored = store.write(Batch([*trades(1, 2, 5), *passed, OffMarket("", B, 9)]))
    assert stored.ticks == {A: 3}
    assert ids(lake) == [1, 2, 5]
    assert reopened(lake, "SELECT * FROM gaps") == []
    assert reopened(lake, "SELECT symbol, first_id, last_id, last_price, ticks FROM symbols") == [
        (A, 1, 7, 105.0, 3)
    ]
    assert read_counters(db)["ignored", ""] == 5
    restarted = TickStore(db, [A, B])
    assert restarted.write(Batch([*trades(8), passed[0]])).duplicates == 1
    restarted.write(Batch([OffMarket("", A, 9)]))
    restarted.write(Batch(trades(11)))
    assert reopened(lake, "SELECT first_id, last_id FROM gaps") == [(10, 10)]
    assert reopened(lake, "SELECT seq FROM ticks ORDER BY seq") == [(1,), (2,), (3,), (4,), (5,)]


def test_symbols_that_are_not_wanted_are_ignored(lake: Lake, db: sqlite3.Connection) -> None:
    TickStore(db, [A]).write(Batch([*trades(1, symbol=B), *trades(1)]))
    assert reopened(lake, "SELECT DISTINCT symbol FROM ticks") == [(A,)]
    assert read_counters(db)["ignored", ""] == 1


def test_duplicates_are_counted_and_not_stored(lake: Lake, db: sqlite3.Connection) -> None:
    store = TickStore(db, [A])
    store.write(Batch(trades(1, 2, 2, 3)))
    assert store.write(Batch(trades(2, 3, 4))).duplicates == 2
    assert ids(lake) == [1, 2, 3, 4]
    assert read_counters(db)["duplicates", A] == 3


def test_a_jump_is_on_record_with_its_cause(lake: Lake, db: sqlite3.Connection) -> None:
    store = TickStore(db, [A])
    store.write(Batch(trades(1, 2, 5)))
    store.write(Batch(trades(9), interrupted={A: "reconnect"}))
    store.write(Batch(trades(12)))
    assert reopened(lake, f"SELECT {GAP_COLUMNS} FROM gaps ORDER BY id") == [
        (A, 3, 4, "jump", "open"),
        (A, 6, 8, "reconnect", "open"),
        (A, 10, 11, "jump", "open"),
    ]


def test_the_first_batch_after_a_restart_joins_on(lake: Lake, db: sqlite3.Connection) -> None:
    TickStore(db, [A]).write(Batch(trades(1, 2, 3)))
    TickStore(db, [A]).write(Batch(trades(3, 7)))
    assert reopened(lake, f"SELECT {GAP_COLUMNS} FROM gaps") == [(A, 4, 6, "restart", "open")]
    assert ids(lake) == [1, 2, 3, 7]


def test_trades_that_were_only_late_leave_no_gap(lake: Lake, db: sqlite3.Connection) -> None:
    store = TickStore(db, [A])
    store.write(Batch(trades(1, 4)))
    store.write(Batch(trades(3)))
    store.write(Batch(trades(2)))
    assert reopened(lake, "SELECT * FROM gaps") == []
    assert ids(lake) == [1, 2, 3, 4]
    assert ("gaps", A) not in read_counters(db)


def test_a_confirmed_gap_stays_on_record_in_one_piece(lake: Lake, db: sqlite3.Connection) -> None:
    store = TickStore(db, [A])
    store.write(Batch(trades(1, 10)))
    store.confirm(store.gaps.gaps())
    for part in ((2, 3), (6, 7), (4, 5), (8, 9)):
        store.write(Batch(trades(*part), source="repair"))
        assert TickStore(db, [A]).gaps.missing(A) == store.gaps.missing(A)
    assert reopened(lake, f"SELECT {GAP_COLUMNS} FROM gaps") == [(A, 2, 9, "jump", "repaired")]
    counters = read_counters(db)
    assert (counters["gaps", A], counters["repaired_ticks", A]) == (1, 8)


def test_a_part_that_is_lost_stays_on_record_and_still_takes_its_trades(
    lake: Lake, db: sqlite3.Connection
) -> None:
    store = TickStore(db, [A])
    store.write(Batch(trades(1, 10)))
    store.confirm(store.gaps.gaps())
    store.close_as_lost(A, IdRange(1, 4), "too old")
    query = "SELECT first_id, last_id, state, message FROM gaps ORDER BY first_id"
    assert reopened(lake, query) == [
        (2, 4, "lost", "too old"),
        (5, 9, "open", "waiting for repair"),
    ]
    store.write(Batch(trades(3, 5), source="repair"))
    assert reopened(lake, query) == [
        (2, 2, "lost", "too old"),
        (3, 3, "repaired", ""),
        (4, 4, "lost", "too old"),
        (5, 5, "repaired", ""),
        (6, 9, "open", "waiting for repair"),
    ]
    closed = "SELECT count(*) FROM gaps WHERE state = 'lost' AND closed_ms IS NULL"
    assert reopened(lake, closed) == [(0,)]
    assert ids(lake) == [1, 3, 5, 10]


def test_history_before_the_first_trade_joins_on(lake: Lake, db: sqlite3.Connection) -> None:
    store = TickStore(db, [A])
    store.write(Batch(trades(100)))
    store.write(Batch(trades(98, 99), source="history"))
    assert store.first_id(A) == 98
    assert reopened(lake, "SELECT * FROM gaps") == []
    assert reopened(lake, "SELECT first_id, last_id, last_price FROM symbols") == [(98, 100, 200.0)]


def test_what_was_let_go_for_want_of_room_is_counted(db: sqlite3.Connection) -> None:
    store = TickStore(db, [A])
    store.write(Batch(trades(1)))
    store.write(Batch(trades(11), interrupted={A: PAUSED}))
    assert read_counters(db)["dropped", ""] == 9


def test_a_failed_transaction_leaves_nothing_behind(lake: Lake, db: sqlite3.Connection) -> None:
    store = TickStore(db, [A])
    store.write(Batch(trades(1)))
    db.execute("PRAGMA busy_timeout=0")
    other = sqlite3.connect(lake.ticks_db, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    batch = Batch(trades(2, 5))
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        store.write(batch)
    other.execute("ROLLBACK")
    other.close()
    assert ids(lake) == [1]
    assert store.write(batch).ticks == {A: 2}
    assert reopened(lake, "SELECT seq, trade_id FROM ticks") == [(1, 1), (2, 2), (3, 5)]
    assert store.gaps.missing(A) == (IdRange(3, 4),)


def test_seq_rises_even_when_all_rows_were_rolled_away(lake: Lake, db: sqlite3.Connection) -> None:
    TickStore(db, [A]).write(Batch(trades(1, 2, 3)))
    db.execute(
        "INSERT INTO rolls(symbol, hour_ms, rows, max_seq, rolled_ms) VALUES (?, 0, 3, 3, 0)", (A,)
    )
    db.execute("DELETE FROM ticks")
    TickStore(db, [A]).write(Batch(trades(4)))
    assert reopened(lake, "SELECT seq FROM ticks") == [(4,)]


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, 2**32), st.integers(1, 40), st.booleans())
def test_any_arrival_order_stores_the_same(
    tmp_path_factory: pytest.TempPathFactory, seed: int, size: int, restarts: bool
) -> None:
    """With repeats, two symbols, disorder, any batching, and a restart between any two batches."""
    shuffled = random.Random(seed)
    events = [*trades(*range(1, 80)), *trades(*range(500, 550), symbol=B)]
    events += shuffled.sample(events, 30)
    shuffled.shuffle(events)
    lake = Lake(tmp_path_factory.mktemp("lake"))
    db = quick_writer(lake)
    store = TickStore(db, [A, B])
    for start in range(0, len(events), size):
        store.write(Batch(events[start : start + size]))
        if restarts:
            store = TickStore(db, [A, B])
    db.close()
    assert ids(lake) == list(range(1, 80))
    assert ids(lake, B) == list(range(500, 550))
    assert reopened(lake, "SELECT * FROM gaps WHERE state = 'open'") == []
    assert reopened(lake, "SELECT symbol, first_id, last_id, ticks FROM symbols") == [
        (A, 1, 79, 79),
        (B, 500, 549, 50),
    ]
