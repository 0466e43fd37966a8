"""Publishes batches to the log, and keeps what it can while the log takes none."""

import asyncio
import logging
import time
from collections import deque
from typing import Any, NamedTuple

import msgspec
from redis.exceptions import RedisError

from collector.broker import scripts
from collector.broker.entry import encoded
from collector.broker.server import Server, in_words
from collector.log_lines import RateLimitedLog, shortened
from collector.storage.batch import Batch
from collector.timing import Timing
from spreadlake.backoff import Backoff
from spreadlake.errors import InputError, ServiceError

log = logging.getLogger(__name__)

# So many entries are under way at once.
_AT_ONCE = 32
# How full the log is, is looked at when so much of its bound was published since, and at most this
# often: to measure a large one takes Redis long. What it may be over its bound is what comes in
# between.
_LOOK_SHARE = 1 / 64
_LOOK_SECONDS = 0.25
# Entries that are let go of at once: Redis does nothing else meanwhile.
_DROP_AT_ONCE = 2_000
_FIRST_DELAY = 0.05


class _Waiting(NamedTuple):
    data: bytes
    trades: int
    symbols: list[str]


class Publisher:
    """Holds at most `most_trades` that wait; where there are more the oldest are let go, and told.

    The log is kept within `max_bytes` in the same way. What an answer was lost of is sent again:
    the store knows a trade that comes twice. `dropped` are trades let go here, `trouble` why
    nothing can be published now.
    """

    def __init__(
        self, server: Server, claim: str, most_trades: int, max_bytes: int, timing: Timing
    ) -> None:
        self._server = server
        self._claim = claim
        self._most = most_trades
        self._max_bytes = max_bytes
        self._queue: deque[_Waiting] = deque()
        self._queued = 0
        self._sending: list[tuple[_Waiting, list[str]]] = []
        self._lost: dict[str, None] = {}
        self._wanted = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._backoff = Backoff(_FIRST_DELAY, timing.write_retry_cap)
        self._look_at = 0.0
        self._sent_bytes: float = max_bytes  # since the last look
        self._warn = RateLimitedLog(log.error, 30.0)
        self._tell_dropped = RateLimitedLog(log.warning, 10.0)
        self._tell_full = RateLimitedLog(log.warning, 10.0)
        self._ready = False
        self._asked: asyncio.Future[list[Any]] | None = None
        self.dropped = 0
        self.published = 0
        self.trouble: str | None = None

    @property
    def waiting(self) -> int:
        """Trades that are not in the log yet."""
        return self._queued + sum(one.trades for one, _ in self._sending)

    def put(self, batch: Batch) -> None:
        """Takes a batch to be published."""
        for data, trades, symbols in encoded(batch):
            self._queue.append(_Waiting(data, trades, symbols))
            self._queued += trades
        self._drop_oldest()
        self._empty.clear()
        self._wanted.set()

    async def run(self) -> None:
        """Runs until cancelled; ServiceError or InputError where no retry can help."""
        while True:
            await self._wanted.wait()
            try:
                await self._publish()
            except (InputError, ServiceError) as error:
                self.trouble = str(error)
                raise
            except RedisError as error:
                self._ready, self.trouble = False, in_words(error)
                if (reason := self._server.refusal(error)) is not None:
                    raise ServiceError(reason) from error
                self._warn(
                    "trades cannot be published to %s now (%s); kept in memory and tried again",
                    self._server.url,
                    self.trouble,
                )
                await asyncio.sleep(self._backoff.next())

    async def flush(self) -> None:
        """Returns when all that waits is in the log."""
        await self._empty.wait()

    async def _publish(self) -> None:
        if not self._ready:
            await self._server.look(self._claim, publishes=True)
            self._ready = True
        if not self._sending:
            self._take()
        await self._send()
        if self.trouble is not None:
            self.trouble = None
            log.info("trades are published again")
        self._backoff.reset()
        much = self._sent_bytes >= self._max_bytes * _LOOK_SHARE
        if much and time.monotonic() >= self._look_at:
            await self._keep_within_bytes()
        if not self._queue and not self._sending:
            self._wanted.clear()
            self._empty.set()

    def _take(self) -> None:
        """Entries to be sent, the first with the symbols of those that were let go before it."""
        while self._queue and len(self._sending) < _AT_ONCE:
            one = self._queue.popleft()
            self._queued -= one.trades
            self._sending.append((one, list(self._lost)))
            self._lost.clear()

    async def _send(self) -> None:
        # At the end of a capture one that waits is cancelled: it is not to send the same again.
        if self._asked is None:
            self._asked = asyncio.ensure_future(self._pipeline().execute(raise_on_error=False))
        try:
            answers = await self._server.ask(self._asked)
        except RedisError:
            self._asked = None
            raise
        self._asked = None
        both = list(zip(self._sending, answers, strict=True))
        self._sending = [one for one, answer in both if isinstance(answer, Exception)]
        sent = [one for (one, _), answer in both if not isinstance(answer, Exception)]
        self.published += sum(one.trades for one in sent)
        self._sent_bytes += sum(len(one.data) for one in sent)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer

    def _pipeline(self) -> Any:
        pipeline = self._server.redis.pipeline(transaction=False)
        for one, lost in self._sending:
            # Of what the trades are stands with each: Redis may forget that another log began here.
            fields: Any = {"n": one.trades, "b": one.data, "of": self._claim}
            if lost:
                fields["lost"] = msgspec.msgpack.encode(lost)
            pipeline.xadd(self._server.names.stream, fields)
        return pipeline

    def _drop_oldest(self) -> None:
        dropped = 0
        while self.waiting > self._most and len(self._queue) > 1:
            one = self._queue.popleft()
            self._queued -= one.trades
            self._lost |= dict.fromkeys(one.symbols)
            dropped += one.trades
        if dropped:
            self.dropped += dropped
            self._tell_dropped(
                "%d trades (%s) let go in all: memory holds collector.buffer_trades at most while "
                "%s takes none; the store fetches them",
                self.dropped,
                shortened(list(self._lost)),
                self._server.url,
            )

    async def _keep_within_bytes(self) -> None:
        names = self._server.names
        keys, arguments = [names.stream, names.dropped], (self._max_bytes, _DROP_AT_ONCE)
        _, entries, trades = await self._server.run(scripts.DROP_OLDEST, keys, *arguments)
        if entries:
            self._tell_full(
                "the log in %s is at redis.max_mib: its oldest %d entries (%d trades) were let go; "
                "is a store running? It fetches them",
                self._server.url,
                entries,
                trades,
            )
        if entries < _DROP_AT_ONCE:
            self._sent_bytes, self._look_at = 0.0, time.monotonic() + _LOOK_SECONDS
