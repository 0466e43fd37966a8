"""Small lakes for the tests."""

import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import closing

from collector.storage.batch import Batch
from collector.storage.store import TickStore
from spreadlake.binance.decode import AggTrade
from spreadlake.lake import HOUR_MS, Lake, open_ticks_writer
from spreadlake.trades import TradeEvent
from tests.patience import PATIENCE, Deadline

A, B = "BTCUSDT", "ETHUSDT"
START_MS = 1_700_002_800_000  # 2023-11-14 23:00:00 UTC
STEP_MS = 20_000
PER_HOUR = HOUR_MS // STEP_MS


def trade(trade_id: int, symbol: str = A) -> AggTrade:
    """A trade every 20 s; everything follows from its id."""
    time_ms = START_MS + trade_id * STEP_MS
    return AggTrade(
        symbol, trade_id, time_ms, 100 + trade_id / 7, 0.1 + trade_id % 9, trade_id % 2 == 0
    )


def trades(ids: Iterable[int], symbol: str = A) -> list[TradeEvent]:
    return [trade(i, symbol) for i in ids]


def quick_writer(lake: Lake) -> sqlite3.Connection:
    """A writer that does not wait for the disk: the loss of power is not what is tested."""
    db = open_ticks_writer(lake)
    db.execute("PRAGMA synchronous=OFF")
    return db


def fill(lake: Lake, *events: list[TradeEvent]) -> None:
    """Stores each list as one batch."""
    with closing(quick_writer(lake)) as db:
        store = TickStore(db, [A, B])
        for batch in events:
            store.write(Batch(batch))


def rows_of(lake: Lake, query: str) -> list[tuple[object, ...]]:
    """Rows by a connection that is not ours, so that only what was committed is seen."""
    with closing(sqlite3.connect(lake.ticks_db)) as db:
        return db.execute(query).fetchall()


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Polls until `condition` is true; fails after `seconds`."""
    deadline = Deadline(seconds)
    while not condition():
        assert not deadline.passed, "it did not happen in time"
        time.sleep(0.03)
