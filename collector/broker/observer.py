"""What a store knows of its log and of the captures, looked at once a second; and tells these."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from redis.exceptions import RedisError

from collector.broker.consumer import LogConsumer, LogLook
from collector.broker.registry import Captures, choose_symbols, uncarried
from collector.broker.server import Server
from collector.log_lines import RateLimitedLog, shortened
from collector.symbols.roster import Roster

log = logging.getLogger(__name__)
# Of a capture, but not for the status: long, and said elsewhere.
_LONG = ("sessions", "carries")
# So long a capture may take to say that it is there.
_BEGINS_SECONDS = 20.0


class LogObserver:
    """Looks at the log and the captures; while Redis cannot be asked nothing is known of either."""

    def __init__(
        self, server: Server, consumer: LogConsumer, roster: Roster, interval: float
    ) -> None:
        self._server = server
        self._consumer = consumer
        self._roster = roster
        self._interval = interval
        self._captures = Captures()
        self._log: LogLook | None = None
        self._alive: dict[str, dict[str, Any]] = {}
        self._uncarried: list[str] | None = None
        self._told: list[str] | None = None
        self._carried_at = time.monotonic()
        self._warn = RateLimitedLog(log.warning, 300.0)

    def connections(self) -> dict[str, Any]:
        """The connections to the exchange of all captures, as a collector tells of its own."""
        captures = self._alive.values()
        return {
            "connections": sum(int(one.get("connections", 0)) for one in captures),
            "sessions": [session for one in captures for session in one.get("sessions", ())],
        }

    def status(self) -> dict[str, Any]:
        """What the log is like, who publishes, and how many symbols nobody carries."""
        if self._log is None:
            return {}
        lacking = self._uncarried
        return {
            **self._log._asdict(),
            "uncarried": None if lacking is None else len(lacking),
            "uncarried_names": shortened(lacking) if lacking else "",
            "captures": {name: _short(one) for name, one in self._alive.items()},
        }

    async def run(self) -> None:
        """Looks once a second, and says who is to be captured, until cancelled."""
        while True:
            try:
                found = await self._consumer.look()
                self._alive = await self._captures.look(self._server)
                self._log, self._uncarried = found, uncarried(self._roster.symbols, self._alive)
                self._complain(self._uncarried or ())
            except RedisError as error:
                log.debug("the log cannot be looked at: %s", error)
                self._log, self._alive, self._uncarried = None, {}, None
            with suppress(RedisError):  # one that is full can be looked at
                await self._tell()
            await asyncio.sleep(self._interval)

    async def _tell(self) -> None:
        """Who is to be captured; also after Redis has lost it."""
        symbols = sorted(self._roster.symbols)
        redis, names = self._server.redis, self._server.names
        if symbols != self._told or not await self._server.ask(redis.exists(names.symbols)):
            await choose_symbols(self._server, symbols)
        self._told = symbols

    def _complain(self, lacking: Sequence[str]) -> None:
        now = time.monotonic()
        if not lacking:
            self._carried_at = now
        elif now - self._carried_at > _BEGINS_SECONDS:
            self._warn(
                "no capture carries %s: is one down, or a --shard missing? They need the same "
                "configuration as the store",
                shortened(lacking),
            )


def _short(capture: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in capture.items() if key not in _LONG}
