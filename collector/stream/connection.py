"""One WebSocket connection from its opening to its end."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from collector.network.access import Access
from collector.stream.frame_reader import FrameReader, Taken
from collector.timing import Timing
from spreadlake.trades import TradeEvent
from spreadlake.venue import Subscription

# No real frame comes near it; one that does ends the connection (close code 1009).
_MAX_FRAME_BYTES = 2**20
# Frames that are held undecoded; beyond it the socket is not read.
_MAX_QUEUE = 64
# Of the messages that the exchange takes a share is sent.
_SHARE_OF_MESSAGES = 0.5


class _Socket(ClientConnection):
    """Ends without a traceback where it never began."""

    def connection_lost(self, exc: Exception | None) -> None:
        # Through a proxy a certificate may be refused before there is anything to close; `connect`
        # raises that, and the library's own handling would fail beside it.
        if hasattr(self, "recv_messages"):
            super().connection_lost(exc)


class Connection:
    """A connection whose frames `reader` takes until it fails or is closed.

    Times are of the monotonic clock; trades are seen when they are taken, not one by one.
    `gap_cause` is set where the one before it broke off: the cause of any gap between the two.
    `due` is when it is to be replaced.
    """

    def __init__(
        self,
        socket: ClientConnection,
        reader: FrameReader,
        messages: Sequence[str],
        pause: float,
        ping_interval: float,
    ) -> None:
        """Between two messages to the exchange there are `pause` seconds."""
        self.reader = reader
        self.opened = time.monotonic()
        self.first_trade: float | None = None
        self.last_trade: float | None = None
        # The greatest trade time (Unix ms) of what was taken last: how far this connection is.
        self.reached_ms = 0
        self.due = float("inf")
        self.gap_cause: str | None = None
        self._socket = socket
        self._pause = pause
        self._ping_interval = ping_interval
        self._sending: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()
        self._reading = asyncio.create_task(self._read(messages))

    @classmethod
    async def open(
        cls, subscription: Subscription, access: Access, reader: FrameReader, timing: Timing
    ) -> "Connection":
        """Connects, subscribes and starts to read; raises what `connect` raises."""
        socket = await connect(
            subscription.url,
            compression=None,
            max_size=_MAX_FRAME_BYTES,
            max_queue=_MAX_QUEUE,
            open_timeout=timing.open_timeout,
            ping_interval=None,  # of the library's own: see `_answered`
            close_timeout=timing.close_timeout,
            create_connection=_Socket,
            **access.stream_options,
        )
        pause = 1 / (_SHARE_OF_MESSAGES * access.venue.MESSAGES_PER_SECOND)
        return cls(socket, reader, subscription.messages, pause, timing.ping_interval)

    def take(self) -> Taken:
        """The trades that wait to be stored, and those that came by another connection before."""
        taken = self.reader.take()
        if taken.events or taken.repeats:
            self.last_trade = time.monotonic()
            self.first_trade = self.first_trade or self.last_trade
        for part in taken:
            if part and isinstance(newest := part[-1], TradeEvent):
                self.reached_ms = max(self.reached_ms, newest.time_ms)
        return taken

    @property
    def flowing_seconds(self) -> float:
        """For how many seconds trades have come."""
        if self.first_trade is None or self.last_trade is None:
            return 0.0
        return self.last_trade - self.first_trade

    @property
    def silent_seconds(self) -> float:
        """Seconds since the last trade, or since it was opened."""
        return time.monotonic() - (self.last_trade or self.opened)

    @property
    def age_seconds(self) -> float:
        """Seconds since it was opened."""
        return time.monotonic() - self.opened

    @property
    def reading(self) -> asyncio.Task[None]:
        """Done when the connection has failed; its exception says how."""
        return self._reading

    def send(self, messages: Sequence[str]) -> None:
        """Sends more messages, beside the reading; a connection that is lost takes them along."""
        sending = asyncio.create_task(self._send_beside(messages))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)

    async def close(self) -> None:
        """Stops reading and closes the socket; what was read stays in the reader."""
        tasks = (self._reading, *self._sending)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._socket.close()

    async def _send_beside(self, messages: Sequence[str]) -> None:
        with suppress(ConnectionClosed):
            await self._send(messages)

    async def _send(self, messages: Sequence[str]) -> None:
        async with self._turn:
            for message in messages:
                await self._socket.send(message)
                await asyncio.sleep(self._pause)

    async def _read(self, messages: Sequence[str]) -> None:
        await self._send(messages)
        receive = partial(self._socket.recv, False)  # bytes, whatever the frame says it is
        reading = asyncio.create_task(self.reader.read(receive))  # type: ignore[arg-type]
        answered = asyncio.create_task(self._answered())
        try:
            done, _ = await asyncio.wait((reading, answered), return_when=asyncio.FIRST_COMPLETED)
            done.pop().result()
        finally:
            for task in (reading, answered):
                task.cancel()
            await asyncio.gather(reading, answered, return_exceptions=True)

    async def _answered(self) -> None:
        """Pings; TimeoutError when no pong comes, nor anything else: the other side is gone.

        A pong comes after the frames sent before it. In a burst on a busy machine these may be
        late, and while trades cannot be stored they are not read: to give up the connection then
        would lose what is on its way.
        """
        while True:
            await asyncio.sleep(self._ping_interval)
            pong = asyncio.ensure_future(await self._socket.ping())
            while not (await asyncio.wait((pong,), timeout=self._ping_interval))[0]:
                if self.silent_seconds > self._ping_interval and not self.reader.paused_lately:
                    raise TimeoutError("no pong")
