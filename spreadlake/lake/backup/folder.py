"""The folder of a back-up: what it may be, and the mark that it is one."""

import json
import os
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spreadlake.errors import InputError, LakeError
from spreadlake.lake.databases.connections import open_reader, writer_lock
from spreadlake.lake.layout import Lake
from spreadlake.lake.parquet import sync_folder
from spreadlake.lake.ticks.rolls import newest_seq
from spreadlake.times import iso_utc

_WRITERS = ("pipeline", "collector", "analytics-job", "notifier", "uploader")
_OF_DISKS = {"lost+found"}


@dataclass(frozen=True)
class Mark:
    """`backup.json`: of which lake, whether a back-up ever was whole, and up to when that was."""

    path: Path

    @classmethod
    def of(cls, to: Lake) -> "Mark":
        """The mark of a folder."""
        return cls(to.backup_json)

    def begin(self, lake: Lake) -> None:
        """From now on the folder is known to be a back-up's, and not a whole one yet."""
        if not self.path.exists():
            self._write({"of": str(lake.root.resolve()), "whole": False})

    def end(self, lake: Lake, until_ms: int | None) -> None:
        """It is whole, with all trades up to `until_ms`."""
        until = None if until_ms is None else iso_utc(until_ms // 1000)
        ended = iso_utc(int(time.time()))
        self._write(
            {"of": str(lake.root.resolve()), "whole": True, "ended": ended, "newest_trade": until}
        )

    def _write(self, said: dict[str, Any]) -> None:
        beside = self.path.with_suffix(".tmp")
        with beside.open("w", encoding="utf-8") as file:
            json.dump(said, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)
        sync_folder(self.path.parent)


def check_folders(lake: Lake, to: Lake) -> None:
    """InputError or LakeError where `to` cannot become a back-up of the lake; changes nothing."""
    with closing(open_reader(lake.ticks_db)) as db:
        newest = newest_seq(db)
    source, target = lake.root.resolve(), to.root.resolve()
    if target == source or source in target.parents or target in source.parents:
        raise InputError(
            f"--to {to.root} and the lake {lake.root} lie within each other; choose a folder "
            "elsewhere, best on another disk"
        )
    if not Mark.of(to).path.exists():
        _refuse_others(to)
        return
    for service in _WRITERS:
        if (to.root / f"{service}.lock").exists():
            with writer_lock(to, service):
                pass  # nobody runs on it
    if to.ticks_db.exists():
        with closing(open_reader(to.ticks_db)) as db:
            theirs = newest_seq(db)
        if theirs > newest:
            raise LakeError(
                f"{to.root} holds newer trades than {lake.root}: is this the wrong way round? If "
                "not, back up to another folder"
            )


def _refuse_others(to: Lake) -> None:
    if not to.root.exists():
        return
    names = {one.name for one in to.root.iterdir()} - _OF_DISKS
    if to.ticks_db.exists():
        raise InputError(f"--to {to.root} is a lake, and no back-up of one; choose another folder")
    if names:
        raise InputError(
            f"--to {to.root} is neither empty nor a back-up ({sorted(names)[0]} is there); choose "
            "a folder that is empty, or not there yet"
        )
