"""What a collector leaves when it ends."""

import asyncio
import shutil
from contextlib import closing
from pathlib import Path

from collector.batch import Batch
from collector.service import roll
from collector.store import TickStore
from spreadlake.config import load_settings
from spreadlake.lake import HOUR_MS, Lake, WalKeeper, open_reader
from spreadlake.service import ServiceContext
from spreadlake.simulator import SimulatedExchange
from tests.collector.lakes import PER_HOUR, START_MS, A, fill, quick_writer, rows_of, trades
from tests.collector.live import collecting, market, more_ticks, settings_for

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
