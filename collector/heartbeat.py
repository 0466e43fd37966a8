"""What the collector tells about itself, once a second."""

import os
import time
from typing import Any

from collector.history.warm_start import WarmStart
from collector.resources import Resources
from collector.roll import next_roll_ms
from collector.source import Source
from spreadlake.errors import ServiceError
from spreadlake.lake import WalKeeper, beat
from spreadlake.lake.databases.presence import Presence


class Heartbeat:
    """Writes the status of the collector, and keeps the log of its database in bounds."""

    def __init__(self, resources: Resources, source: Source, warm_start: WarmStart) -> None:
        self._resources = resources
        self._source = source
        self._warm_start = warm_start
        self._started_ms = time.time_ns() // 1_000_000
        self._wal = WalKeeper(resources.store.db, resources.lake.ticks_db)
        self._presence = Presence(resources.lake.ticks_db)

    async def write(self, state: str) -> None:
        """Writes the status now."""
        status: dict[str, Any] = {"collector": self._status(state)}
        store = self._resources.store

        def persist() -> None:
            store.write_status(status)
            self._wal.keep()

        await self._resources.writer.persist(persist)

    def _status(self, state: str) -> dict[str, Any]:
        store, now_ms = self._resources.store, time.time_ns() // 1_000_000
        watermark, configuration = store.watermark_ms, self._resources.configuration
        remaining = self._warm_start.remaining
        after = self._resources.settings.storage.roll_after_hours
        return {
            "pid": os.getpid(),
            "beat": beat(),
            "started_ms": self._started_ms,
            "state": state,
            **self._source.status(),
            "buffer": self._source.waiting,
            "commit_seconds": store.commit_seconds,
            "lag_seconds": None if watermark is None else (now_ms - watermark) / 1000,
            "wal_bytes": self._wal.size,
            "db_bytes": self._db_bytes(),
            "open_gaps": len(store.gaps.gaps()),
            "not_trading": self._resources.roster.not_trading,
            "reused": sorted(store.contradictions.reused),
            "next_roll_ms": None if watermark is None else next_roll_ms(watermark, after),
            "history": remaining.text if remaining else "",
            "warm_start": remaining.status if remaining else None,
            "trouble": self._resources.writer.trouble,
            "refused": configuration.refused if configuration else "",
        }

    def _db_bytes(self) -> int:
        path = self._resources.lake.ticks_db
        if self._presence.lost:
            # What is written now goes to a file that nobody will find again.
            raise ServiceError(f"{path} was removed or replaced while trades were stored in it")
        return path.stat().st_size
