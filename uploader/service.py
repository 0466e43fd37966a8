"""The uploader as a service: finished days to the bucket of `storage.cold`."""

import logging
import os
import sqlite3
import threading
import time
from contextlib import closing
from itertools import chain

from spreadlake.config import ConfigWatch
from spreadlake.errors import ConfigError
from spreadlake.lake import Lake, atomic, beat, open_cold_writer, set_status, writer_lock
from spreadlake.lake.cold.address import ColdAddress
from spreadlake.lake.cold.objects import Objects
from spreadlake.lake.databases.errors import explain, passes
from spreadlake.service import ServiceContext, StopSignal
from spreadlake.words import count, size
from uploader.rounds import Rounds

log = logging.getLogger(__name__)

_BEAT_SECONDS = 1.0
# Another bucket is another lake's place until it is claimed, and that is done once.
_AT_NEXT_START = ("storage.cold",)  # and storage.cold_keep_days, which others read once


def run(context: ServiceContext) -> None:
    """Uploads until told to stop, or (`once` among the options) all that is finished now.

    With `recover` among them it first puts on record again what is in the bucket alone. Raises
    ConfigError where there is no bucket, or its client is not installed; `once` also what kept it
    from uploading something, and `recover` LakeError where the bucket has not all of it.
    """
    storage = context.settings.storage
    if storage.cold is None:
        raise ConfigError(
            "there is nowhere to upload to: storage.cold is not set; name a bucket there, "
            'such as cold = "s3://bucket/prefix"'
        )
    address = ColdAddress.parse(storage.cold)
    objects = Objects(address)
    once = bool(context.options.get("once"))
    watch = None if once else context.config_watch()
    if watch is not None:
        watch.at_next_start = _AT_NEXT_START
    stop = StopSignal(context.duration)
    with (
        writer_lock(context.lake, "uploader"),
        closing(open_cold_writer(context.lake)) as db,
    ):
        rounds = Rounds(context.lake, db, objects, address, storage)
        status = _Status(context.lake, rounds, address)
        log.info("uploading finished days to %s", address.text)
        stopped = threading.Event()
        stop.on_set(stopped.set)
        status.say(db, "running")
        steps = rounds.run(stopped, once=once)
        if context.options.get("recover"):
            steps = chain(rounds.recover(), steps)
        for _ in steps:
            if stop.is_set():
                break
            _follow(watch, rounds, address)
            status.keep(db)
        status.say(db, "stopped")
    if once and rounds.trouble.error is not None:
        raise rounds.trouble.error
    if once and not stop.is_set():
        objects_there, size_there = rounds.totals
        log.info(
            "all that is finished is there: %s (%s); a day is finished some hours after its end",
            count(objects_there, "file"),
            size(size_there),
        )


def _follow(watch: ConfigWatch | None, rounds: Rounds, address: ColdAddress) -> None:
    """Takes on an edit of how long files stay, of the bucket that it was started with."""
    edited = None if watch is None else watch.edited()
    if edited is None or edited.storage.cold is None:
        return
    if ColdAddress.parse(edited.storage.cold) == address:
        rounds.follow(edited.storage)


class _Status:
    """What it tells about itself, once a second."""

    def __init__(self, lake: Lake, rounds: Rounds, address: ColdAddress) -> None:
        self._lake = lake
        self._rounds = rounds
        self._address = address
        self._started_ms = time.time_ns() // 1_000_000
        self._said = float("-inf")

    def keep(self, db: sqlite3.Connection) -> None:
        """Says it, unless it just did."""
        if time.monotonic() - self._said >= _BEAT_SECONDS:
            self.say(db, "running")

    def say(self, db: sqlite3.Connection, state: str) -> None:
        """Says it now."""
        self._said = time.monotonic()
        rounds, waits = self._rounds, self._rounds.look.waits
        objects, size = rounds.totals
        status = {
            "pid": os.getpid(),
            "beat": beat(),
            "started_ms": self._started_ms,
            "state": state,
            "upload": {
                "address": self._address.text,
                "waiting": waits.files,
                "waiting_bytes": waits.bytes,
                "oldest": waits.oldest,
                "objects": objects,
                "bytes": size,
                "uploaded_ms": rounds.uploaded_ms,
                "failures": rounds.trouble.number,
                "trouble": rounds.trouble.said,
                "trouble_ms": rounds.trouble.since_ms,
            },
        }
        try:
            with atomic(db):
                set_status(db, time.time_ns() // 1_000_000, {"uploader": status})
        except sqlite3.Error as error:
            # On a full disk it goes on, since what leaves the disk makes room.
            if not passes(error):
                raise explain(error, self._lake.cold_db) from error
