"""What the collector tells about itself, once a second."""

import os
import time
from collections.abc import Sequence
from typing import Any

from collector.history.warm_start import WarmStart
from collector.resources import Parts
from collector.roll import next_roll_ms
from collector.stream.batcher import Pump
from collector.stream.connection_group import Feed
from spreadlake.errors import ServiceError
from spreadlake.lake import WalKeeper, beat
from spreadlake.lake.presence import Presence


class Reporter:
    """Writes the status of the collector, and keeps the log of its database in bounds."""

    def __init__(
        self, parts: Parts, pump: Pump, feeds: Sequence[Feed], warm_start: WarmStart
    ) -> None:
        self._parts = parts
        self._pump = pump
        self._feeds = feeds
        self._warm_start = warm_start
        self._captured: list[str] | None = None
        self._started_ms = time.time_ns() // 1_000_000
        self._wal = WalKeeper(parts.store.db, parts.lake.ticks_db)
        self._presence = Presence(parts.lake.ticks_db)

    async def report(self, state: str) -> None:
        """Writes the status now."""
        status: dict[str, Any] = {"collector": self._status(state)}
        captured = list(self._parts.roster.symbols)
        if captured != self._captured:  # many, and seldom others: not with every report
            status["captured"] = self._captured = captured
        store = self._parts.store

        def write() -> None:
            store.write_status(status)
            self._wal.keep()

        await self._parts.writer.persist(write)

    def _status(self, state: str) -> dict[str, Any]:
        store, now_ms = self._parts.store, time.time_ns() // 1_000_000
        watermark = store.watermark_ms
        after = self._parts.settings.storage.roll_after_hours
        return {
            "pid": os.getpid(),
            "beat": beat(),
            "started_ms": self._started_ms,
            "state": state,
            "connections": sum(feed.current is not None for feed in self._feeds),
            "sessions": [_session(feed) for feed in self._feeds],
            "buffer": self._pump.waiting,
            "commit_seconds": store.commit_seconds,
            "lag_seconds": None if watermark is None else (now_ms - watermark) / 1000,
            "wal_bytes": self._wal.size,
            "db_bytes": self._db_bytes(),
            "open_gaps": len(store.gaps.gaps()),
            "not_trading": self._parts.roster.not_trading,
            "reused": sorted(store.contradictions.reused),
            "next_roll_ms": None if watermark is None else next_roll_ms(watermark, after),
            "history": left.text if (left := self._warm_start.left) else "",
            "trouble": self._parts.writer.trouble,
            "refused": self._parts.watch.refused if self._parts.watch else "",
        }

    def _db_bytes(self) -> int:
        path = self._parts.lake.ticks_db
        if self._presence.lost:
            # What is written now goes to a file that nobody will find again.
            raise ServiceError(f"{path} was removed or replaced while trades were stored in it")
        return path.stat().st_size


def _session(feed: Feed) -> dict[str, Any]:
    session = feed.current
    status: dict[str, Any] = {"streams": len(feed.symbols), "connected": session is not None}
    if session is not None:
        status["age_seconds"] = round(session.age, 1)
        status["silent_seconds"] = round(session.silent, 1)
    return status
