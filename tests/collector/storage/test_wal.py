"""The log of the database stays bounded while readers never rest."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path

from collector.storage.batch import Batch
from collector.storage.store import TickStore
from spreadlake.lake import Lake, WalKeeper, open_reader
from tests.collector.lakes import A, quick_writer, rows_of, trades, wait_until

LIMIT = 2**20
BATCH = 2_000


@contextmanager
def overlapping_readers(lake: Lake, hold: float) -> Iterator[list[int]]:
    """Two readers in turn, so that one of them is in a transaction at any time."""
    done, reads = threading.Event(), [0]

    def read(start: float) -> None:
        time.sleep(start)
        with closing(open_reader(lake.ticks_db)) as db:
            while not done.is_set():
                db.execute("BEGIN")
                db.execute("SELECT count(*) FROM symbols").fetchone()
                done.wait(hold)
                db.execute("COMMIT")
                reads[0] += 1

    readers = [threading.Thread(target=read, args=(i * hold / 2,)) for i in range(2)]
    for reader in readers:
        reader.start()
    try:
        yield reads
    finally:
        done.set()
        for reader in readers:
            reader.join()


def batches_until_cut(
    db: sqlite3.Connection, lake: Lake, limit: int | None, times: int, most: int
) -> list[int]:
    """Writes until the log was cut back `times` times at `limit`; its size after each batch."""
    store, sizes = TickStore(db, [A]), [0]
    keeper = WalKeeper(db, lake.ticks_db, limit or 0)
    while times_cut(sizes) < times and len(sizes) <= most:
        batch = len(sizes) - 1
        store.write(Batch(trades(range(batch * BATCH, (batch + 1) * BATCH))))
        if limit is not None:
            keeper.keep()
        sizes.append(keeper.size)
        time.sleep(0.01)
    return sizes


def times_cut(sizes: list[int]) -> int:
    return sum(after < before for before, after in pairwise(sizes))


def test_the_log_is_cut_back_though_readers_never_rest(tmp_path: Path) -> None:
    """Beside a lake whose log nobody cuts back: there it only ever grows."""
    left, kept = Lake(tmp_path / "left"), Lake(tmp_path / "kept")
    with closing(quick_writer(left)) as db, overlapping_readers(left, 0.05):
        assert times_cut(batches_until_cut(db, left, None, times=1, most=50)) == 0
    with closing(quick_writer(kept)) as db, overlapping_readers(kept, 0.05) as reads:
        sizes = batches_until_cut(db, kept, LIMIT, times=2, most=2_000)
    assert times_cut(sizes) == 2
    assert reads[0] > 2
    assert rows_of(kept, "SELECT count(*) FROM ticks") == [((len(sizes) - 1) * BATCH,)]


def test_a_reader_that_stays_is_waited_out(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with closing(quick_writer(lake)) as db:
        store, keeper = TickStore(db, [A]), WalKeeper(db, lake.ticks_db, 1)
        with closing(open_reader(lake.ticks_db)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM symbols").fetchone()
            store.write(Batch(trades(range(10))))
            assert not keeper.keep()
            assert db.execute("PRAGMA busy_timeout").fetchone() == (5_000,)
            assert not keeper.keep()
        wait_until(keeper.keep)
        assert keeper.size == 0
