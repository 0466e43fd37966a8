"""The log as a source of trades: read, stored in the lake, and only then acknowledged."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from redis.exceptions import RedisError

from collector.broker.consumer import LogConsumer, Read
from collector.broker.entry import merged
from collector.broker.lease import Lease
from collector.broker.observer import LogObserver
from collector.broker.server import Server, in_words
from collector.broker.tails import LogTails
from collector.log_lines import RateLimitedLog, shortened
from collector.resources import Resources
from collector.source import Work
from collector.storage.batch import PAUSED, Batch
from spreadlake.backoff import Backoff
from spreadlake.errors import ServiceError

log = logging.getLogger(__name__)
_FIRST_DELAY = 0.05


class LogSource:
    """Takes what captures published into the store; made inside the event loop.

    While Redis cannot be reached, or has lost entries, nothing is wrong but that trades are
    missing: their ids tell, and they are fetched like any others.
    """

    def __init__(self, resources: Resources, server: Server, claim: str, lease: Lease) -> None:
        self._resources = resources
        self._store = resources.store
        self._writer = resources.writer
        self._server = server
        self._claim = claim
        self._lease = lease
        self._consumer = LogConsumer(server, lease.token)
        self._observer = LogObserver(
            server, self._consumer, resources.roster, resources.timing.status_interval
        )
        self._tails = LogTails(resources, server)
        self._waiting = 0
        self._ready = False
        self._caught_up_at = float("-inf")
        self._committed_at = float("-inf")
        self._again_at = time.monotonic() + lease.interval
        self._storing: asyncio.Task[None] | None = None
        self._stored_ids: list[bytes] = []
        self._backoff = Backoff(_FIRST_DELAY, resources.timing.write_retry_cap)
        self._warn = RateLimitedLog(log.error, 30.0)
        self._left_out: set[str] = set()
        self.trouble = ""

    @property
    def waiting(self) -> int:
        """Trades that were read and are not stored yet."""
        return self._waiting

    def status(self) -> dict[str, Any]:
        """The connections of all captures, and what the log is like."""
        observer = self._observer
        return {
            **observer.connections(),
            "log": {
                **observer.status(),
                "max_bytes": int(self._resources.settings.redis.max_mib * 2**20),
                "token": self._lease.token,
                "trouble": self.trouble,
                "reachable": not self.trouble,
            },
        }

    def work(self) -> Work:
        """Everything that runs until the end."""
        return [self._run(), self._lease.keep(), self._observer.run(), self._tails.run()]

    def add(self, symbols: Sequence[str]) -> Work:  # noqa: ARG002 the observer tells captures
        """Nothing is to be done: what is stored says the store itself."""
        return []

    def remove(self, symbols: Sequence[str]) -> None:
        """As with `add`."""

    def joined(self, symbols: Sequence[str]) -> None:
        """As with `add`: captures see it themselves."""

    def still_to_come(self, symbol: str) -> Callable[[], bool]:  # noqa: ARG002 it is one log
        """Whether what is in the log now is yet to be read: it may hold what is missing."""
        now = time.monotonic()
        until = now + self._resources.timing.copy_late

        def come() -> bool:
            return self._caught_up_at < now and time.monotonic() < until

        return come

    def excuse_silence(self) -> None:
        """Captures see to that."""

    async def flush(self) -> None:
        """Stores what was read, and what is in the log by now, as far as it can be reached."""
        await self._finish_storing()
        try:
            # There is more to be done at the end, for which no Redis is needed.
            async with asyncio.timeout(self._resources.timing.last_flush / 2):
                await self._read_out()
        except (RedisError, TimeoutError) as error:
            why = str(error) or "it takes too long"
            log.warning("what is left in %s waits for the next store: %s", self._server.url, why)
            await self._finish_storing()

    async def _read_out(self) -> None:
        await self._server.settle()
        self._consumer.look_back()  # the answer to what was cancelled holds entries
        while not (read := await self._consumer.read()).caught_up or read.ids:
            await self._take(read)
            if read.caught_up:
                break
        await self._consumer.acknowledge([])

    async def close(self) -> None:
        """Ends the attempt to store, and lets the next store begin."""
        if self._storing is not None:
            self._storing.cancel()
            await asyncio.gather(self._storing, return_exceptions=True)
        await self._lease.release()

    async def _run(self) -> None:
        while True:
            try:
                await self._step()
            except RedisError as error:
                if (reason := self._server.refusal(error)) is not None:
                    raise ServiceError(reason) from error
                self._consumer.look_back()  # what was read may not have been stored
                self._ready, self.trouble = False, in_words(error)
                self._warn("the log in %s cannot be read now: %s", self._server.url, self.trouble)
                await asyncio.sleep(self._backoff.next())

    async def _step(self) -> None:
        if not self._ready:
            await self._server.look(self._claim)
            self._ready = True
        if time.monotonic() >= self._again_at:
            # One that was thought dead may have read on, and will never acknowledge.
            self._consumer.look_back()
            self._again_at = time.monotonic() + self._lease.interval
        asked = time.monotonic()
        read = await self._consumer.read()
        if read.lost:
            self._tails.doubt()
        if read.ids:
            await self._take(read)
        if self.trouble:
            self.trouble = ""
            log.info("the log in %s is read again", self._server.url)
        self._backoff.reset()
        if read.caught_up:
            self._caught_up_at = asked
            # One commit a while for all captures, and not one for each of their entries.
            pause = self._resources.settings.collector.flush_interval
            await asyncio.sleep(self._committed_at + pause - time.monotonic() if read.ids else 0.0)

    async def _take(self, read: Read) -> None:
        batches = merged(read.batches)
        if read.malformed:
            batches.append(Batch(counts=Counter(malformed=read.malformed)))
        let_go = _let_go(batches)
        if await self._consumer.dropped_since():
            lost = dict.fromkeys(self._resources.roster.symbols, PAUSED)
            let_go |= lost.keys()
            if batches:
                batches[0].interrupted = lost | batches[0].interrupted
        self._tails.doubt(let_go)
        self._waiting = sum(len(batch.events) for batch in batches)
        self._tell_unknown(batches)
        self._stored_ids = read.ids
        self._storing = asyncio.create_task(self._persist(batches))
        # Whoever waits may be cancelled; what was read is stored all the same.
        await asyncio.shield(self._storing)
        self._storing = None
        await self._consumer.acknowledge(read.ids)

    def _tell_unknown(self, batches: Sequence[Batch]) -> None:
        """Trades that a capture brings by another configuration are left out, and told."""
        live = (batch for batch in batches if batch.source == "live")
        came = {event.symbol for batch in live for event in batch.events}
        unknown = came.difference(self._resources.roster.symbols)
        if new := unknown - self._left_out:
            log.warning(
                "captures publish trades of %s, which symbols here does not name: they are left "
                "out; captures and store need the same configuration",
                shortened(sorted(new)),
            )
            self._left_out |= new

    async def _persist(self, batches: Sequence[Batch]) -> None:
        for batch in batches:
            await self._writer.persist(partial(self._store.write, batch))
            self._waiting -= len(batch.events)
        self._committed_at = time.monotonic()

    async def _finish_storing(self) -> None:
        if self._storing is not None:
            await asyncio.shield(self._storing)
            self._storing = None
            # They are not to come again.
            self._consumer.unacknowledged += self._stored_ids


def _let_go(batches: Sequence[Batch]) -> set[str]:
    """Symbols of which a capture had no room for trades."""
    causes = (one for batch in batches for one in batch.interrupted.items())
    return {symbol for symbol, cause in causes if cause == PAUSED}
