"""Lakes with finished days, and rounds of the uploader over them."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from spreadlake.config.storing import StorageSettings
from spreadlake.lake import Lake, open_cold_writer
from spreadlake.lake.cold.address import ColdAddress
from spreadlake.lake.cold.objects import Objects
from spreadlake.lake.cold.recorded import recorded
from spreadlake.lake.layout import DAY_MS
from spreadlake.lake.parquet import write_durably
from tests.patience import Deadline
from uploader.rounds import Rounds

NOV_1_MS = 1_793_491_200_000  # 2026-11-01
SYMBOLS = ("BTCUSDT", "ETHUSDT")


def day_file(lake: Lake, symbol: str = "BTCUSDT", day: int = 0) -> Path:
    return lake.tick_day(symbol, NOV_1_MS + day * DAY_MS)


def write_day(lake: Lake, symbol: str = "BTCUSDT", day: int = 0, rows: int = 3) -> Path:
    """A day's file, as it is put in place by who merges into it."""
    path = day_file(lake, symbol, day)
    write_durably(pl.DataFrame({"trade_id": range(rows)}), path)
    return path


def lake_of_days(folder: Path, days: int = 3) -> Lake:
    lake = Lake(folder / "lake")
    for symbol in SYMBOLS:
        for day in range(days):
            write_day(lake, symbol, day)
    return lake


def paths_of(lake: Lake) -> set[str]:
    """The finished files on the disk."""
    return {p.relative_to(lake.root).as_posix() for p in lake.root.rglob("day.parquet")}


def objects_in(address: ColdAddress) -> set[str]:
    """The finished files in the bucket."""
    return {
        held.path
        for held in Objects(address).list()
        if held.path.endswith("day.parquet") and not held.path.startswith("replaced/")
    }


@dataclass
class Uploading:
    """An uploader that is taken through its rounds by the test."""

    lake: Lake
    rounds: Rounds
    stop: threading.Event

    def once(self) -> None:
        for _ in self.rounds.run(self.stop, once=True):
            pass

    def on_record(self) -> set[str]:
        held = recorded(self.lake)
        return {p.relative_to(self.lake.root).as_posix() for p in held.under(self.lake.ticks_dir)}


@contextmanager
def uploading(
    lake: Lake, address: ColdAddress, monkeypatch: pytest.MonkeyPatch | None = None, **storage: Any
) -> Iterator[Uploading]:
    """One whose writer has `cold.db` open meanwhile; the settings are those of [storage]."""
    settings = StorageSettings(cold=address.text, **storage)
    with closing(open_cold_writer(lake)) as db:
        rounds = Rounds(lake, db, Objects(address), address, settings)
        yield Uploading(lake, rounds, threading.Event())


def follow(steps: Iterator[None], until: Any, what: str) -> None:
    """Goes through the steps of a service that does not end until something holds."""
    deadline = Deadline()
    for _ in steps:
        if until():
            return
        assert not deadline.passed, what
