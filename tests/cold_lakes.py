"""Lakes of which finished days are in a bucket, and what every reader finds in them."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from analytics_job.job import AnalyticsJob
from collector.roll import compact_all
from spreadlake.lake import HOUR_MS, Lake, atomic, open_cold_writer, read_trades
from spreadlake.lake.cold.address import ColdAddress
from spreadlake.lake.cold.catalogue import CATALOGUE, catalogue_of
from spreadlake.lake.cold.objects import Objects
from spreadlake.research.open_lake import OpenLake
from tests.analytics_job import harness
from tests.analytics_job.archiving import CONFIG, EPOCH_MS, HOURS, merged, roll, trades

__all__ = ["EPOCH_MS"]

SYMBOLS = ("AUSDT", "BUSDT")
END_MS = EPOCH_MS + HOURS * HOUR_MS
MIDNIGHT_MS = EPOCH_MS + 2 * HOUR_MS  # it begins at 22:00
SETTINGS = harness.settings(**CONFIG, storage={"analytics_hours": {"1s": 1, "1m": 1}})


def finished_lake(root: Path) -> harness.TestLake:
    """Two symbols, the trades of five hours in Parquet, and what is old of the analytics."""
    lake = harness.TestLake(root)
    lake.store(trades())
    job = AnalyticsJob(lake.lake, SETTINGS)
    job.step()
    job.finish_tests()
    roll(job)
    job.close()
    for symbol in SYMBOLS:
        for hour in range(HOURS):
            lake.roll(symbol, EPOCH_MS + hour * HOUR_MS)
    assert compact_all(lake.lake, lake.db, MIDNIGHT_MS) == 2
    return lake


def finished_files(lake: Lake) -> list[Path]:
    """The days and months that are whole."""
    return sorted([*lake.root.rglob("day.parquet"), *lake.root.rglob("month.parquet")])


def upload(lake: Lake, address: ColdAddress, *, keep: bool = False) -> list[Path]:
    """Puts all finished files in the bucket; they leave the disk then, unless `keep` says no."""
    objects, moved = Objects(address), finished_files(lake)
    with closing(open_cold_writer(lake)) as db:
        with atomic(db):
            db.execute("INSERT OR REPLACE INTO meta VALUES ('address', ?)", (address.text,))
        for number, path in enumerate(moved):
            name = path.relative_to(lake.root).as_posix()
            sent = objects.put_verified(name, path)
            row = (name, sent.stamp.bytes, sent.sha256, sent.stamp.mtime_ns, sent.stamp.inode)
            with atomic(db):
                db.execute(
                    "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (*row, number, int(keep)),
                )
            if not keep:
                path.unlink()
    return moved


def describe(lake: Lake, address: ColdAddress) -> None:
    """Puts the lake's catalogue in the bucket."""
    Objects(address).put_bytes(CATALOGUE, catalogue_of(lake))


def everything(lake: harness.TestLake) -> dict[str, Any]:
    """What every reader finds in a lake that is written here."""
    return (
        merged(lake)
        | dict(_researched(OpenLake(lake.lake.root)))
        | {"read": read_trades(lake.lake, EPOCH_MS, END_MS).rows()}
    )


def _researched(lake: OpenLake) -> Iterator[tuple[str, Any]]:
    yield "trades", lake.trades().collect().rows()
    yield "bars", lake.bars(timeframe="1s").collect().rows()
    yield "minutes", lake.bars(timeframe="5m").collect().rows()
    yield "wide", lake.bars(timeframe="1m", wide="close").collect().rows()
    pair = lake.pair(*SYMBOLS, "1m", window=30, lookback=60)
    yield "pair", pair.collect().rows()
    yield "kept", lake.pair(*SYMBOLS, "1s", window=30, lookback=60).collect().rows()
    yield "coverage", lake.coverage().rows()
    at = datetime.fromtimestamp(MIDNIGHT_MS / 1000 - 600, UTC)
    yield "screen", lake.screen("1m", lookback=60, window=30, at=at).rows()
    test = lake.backtest(*SYMBOLS, "1m", window=30, lookback=60, entry=1.5)
    yield "backtest", (test.summary, test.trades.rows(), test.equity.rows())


def researched(lake: OpenLake) -> dict[str, Any]:
    """What who opens a lake finds in it."""
    return dict(_researched(lake))
