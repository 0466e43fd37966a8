"""A live capture through faults, compared with what the exchange publishes on the next day."""

import asyncio
from contextlib import closing
from pathlib import Path

import numpy as np

from simulator import Drop, Faults, SimulatedExchange, Tamper, TradeColumns, When
from spreadlake.lake import Lake, open_ticks_writer, read_trades
from tests.collector.live import all_caught_up, collecting, market, settings_for, until
from tests.importer.dumps import DAY, day_file
from tests.running import invoke
from tests.trades import Trade

BEFORE_MS = 20_000


def dumps_of(folder: Path, symbol: str, columns: TradeColumns) -> list[Path]:
    """The exchange's files of the days of these trades, one a day."""
    rows = [
        Trade(symbol, *values)
        for values in zip(
            columns.ids.tolist(),
            columns.times_ms.tolist(),
            columns.prices.tolist(),
            columns.qtys.tolist(),
            columns.buyer_is_maker.tolist(),
            strict=True,
        )
    ]
    days = np.unique([row.time_ms // DAY for row in rows]).tolist()
    return [day_file(folder, [row for row in rows if row.time_ms // DAY == day]) for day in days]


def test_what_was_captured_is_what_the_exchange_publishes(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    faults = Faults(
        [
            Tamper("lost", when=When(frame=40, symbol="BTCUSDT", times=5)),
            Tamper("duplicated", when=When(frame=80, times=9)),
            Drop(when=When(frame=150)),
        ]
    )

    async def capture() -> list[Path]:
        async with SimulatedExchange(market(), faults=faults) as exchange:
            async with collecting(lake, settings_for(exchange)):
                await until(lambda: not faults.pending)
                await all_caught_up(lake, exchange)
            first_ms = int(str(read_trades(lake, 0, 2**62)["time_ms"].min()))
            truth = exchange.truth(since_ms=first_ms - BEFORE_MS)
        return [path for name in truth for path in dumps_of(tmp_path, name, truth[name])]

    dumps = asyncio.run(capture())
    command = ("verify", *dumps, "--data", lake.root)
    told = invoke(*command, "--captured", cwd=tmp_path)
    assert (told.returncode, told.stdout.splitlines()[-1]) == (
        0,
        "equal: nothing is missing, and nothing is different",
    ), told.stdout
    assert "before the lake began" in told.stdout
    assert invoke(*command, cwd=tmp_path).returncode == 1
    with closing(open_ticks_writer(lake)) as db:
        db.execute("DELETE FROM ticks WHERE seq = 77")
    told = invoke(*command, "--captured", cwd=tmp_path)
    assert (told.returncode, "unexplained 1" in told.stdout) == (1, True)
    assert invoke("import", *dumps, "--data", lake.root, cwd=tmp_path).returncode == 0
    assert invoke(*command, cwd=tmp_path).returncode == 0
