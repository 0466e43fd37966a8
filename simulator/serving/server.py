"""The simulated exchange: WebSocket streams and REST on one loopback port."""

import asyncio
import logging
import time
from collections.abc import Collection, Mapping
from types import TracebackType
from typing import Any, Self

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from simulator.faults.plans import DropAfterAccept, Faults, RefuseHandshake, RestFailure
from simulator.serving.faulty_client import FaultyClient, end_connection
from simulator.serving.hub import Hub
from simulator.serving.limits import Limits, MessageRate, WeightCounter
from simulator.serving.listing import Facts, Listing
from simulator.serving.player import Pacing, Player, Speed
from simulator.serving.rest import Reply, Rest, is_of_funding, refused, request_weight
from simulator.serving.statuses import Statuses
from simulator.serving.subscriptions import Subscriptions
from simulator.source import Source, TradeColumns
from spreadlake.binance.limits import RETRY_AFTER, USED_WEIGHT
from spreadlake.binance.rest import PREFIX
from spreadlake.binance.streams import parse_target
from spreadlake.errors import InputError
from spreadlake.ports import address

STATUS_PATH = "/simulator/status"

_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 418: "I'm a teapot"}
_POLICY_VIOLATION = 1008
_HANDSHAKE_SECONDS = 120

_log = logging.getLogger(__name__)
# What websockets says of every client that goes is no news here.
_quiet = logging.getLogger(__name__ + ".websockets")
_quiet.setLevel(logging.CRITICAL)


class SimulatedExchange:
    """Serves `source` as Binance's USDⓈ-M futures do; an async context manager.

    `port` 0 takes a free one. The other arguments are those of `Pacing`; `limits` are what the
    exchange allows, `statuses` those of contracts that do not trade at the start, by symbol, and
    `facts` what is listed of them beside that.
    InputError when the address cannot be listened on.
    """

    def __init__(
        self,
        source: Source,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        speed: Speed = 1.0,
        expected: Collection[str] = (),
        hold: bool = False,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limits: Limits | None = None,
        faults: Faults | None = None,
        statuses: Mapping[str, str] | None = None,
        facts: Mapping[str, Facts] | None = None,
    ) -> None:
        self._source = source
        self._address = (host, port)
        self._pacing = Pacing(speed, tuple(expected), hold, start_ms, end_ms)
        self._limits = limits or Limits()
        self.faults = faults or Faults()
        self._budget = WeightCounter(self._limits)
        self._funding_budget = WeightCounter(self._limits.of_funding)
        self._given_statuses = statuses or {}
        self._given_facts = facts or {}
        self._handshakes = 0
        self._connections = 0
        self._server: Server
        self._player: Player
        self._closing: asyncio.Future[None]
        self._playing: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        """Listens, and starts to play."""
        self._hub = Hub(self._limits.write_buffer)
        self._player = Player(self._source, self._hub, self._pacing, time.time_ns() // 1_000_000)
        self._closing = asyncio.get_running_loop().create_future()
        self._started_ms = self._player.clock_ms
        self._statuses = Statuses(self._given_statuses, self._started_ms)
        self._listing = Listing(self._source, self._statuses, self._given_facts)
        self._silence()
        self._rest = Rest(
            self._source, self._limits.weight_per_minute, self._statuses, self._listing
        )
        self.faults.begin()
        self._server = await self._listen()
        self._address = self._server.sockets[0].getsockname()[:2]
        self._playing = asyncio.create_task(self._player.run())
        return self

    async def _listen(self) -> Server:
        host, port = self._address
        serving = serve(
            self._serve_client,
            host,
            port,
            process_request=self._process_request,
            compression=None,
            ping_interval=self._limits.ping_interval,
            ping_timeout=self._limits.ping_timeout,
            open_timeout=_HANDSHAKE_SECONDS,
            close_timeout=1,
            max_size=2**20,
            write_limit=2**18,
            server_header=None,
            logger=_quiet,
        )
        try:
            return await serving
        except OSError as error:
            raise InputError(
                f"the simulated exchange cannot listen on {host}:{port}: {error.strerror}; "
                "choose another port, or 0 for a free one"
            ) from None

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends the play and closes every connection; an error of the play is raised here."""
        self._closing.set_result(None)
        self._playing.cancel()
        self._server.close()
        await self._server.wait_closed()
        try:
            await self._playing
        except asyncio.CancelledError:
            _log.debug("play ended before its source did")

    @property
    def ws_url(self) -> str:
        """Address of the streams, without a route."""
        return f"ws://{address(*self._address)}"

    @property
    def rest_url(self) -> str:
        """Address of the REST side, without a path."""
        return f"http://{address(*self._address)}"

    def clock_ms(self) -> int:
        """The exchange's time: trades before it exist, no others."""
        return self._player.clock_ms

    def set_status(self, symbol: str, status: str) -> None:
        """Gives a contract another status now, e.g. TRADING_HALT; TRADING lets it trade."""
        self._statuses.set(symbol, status, self.clock_ms())
        self._silence()

    def set_facts(self, symbol: str, **changes: Any) -> None:
        """Changes what is listed of a contract now, by the names of the fields of `Facts`."""
        self._listing.change(symbol, **changes)
        self._silence()

    def _silence(self) -> None:
        """Nothing is sent of those that do not trade, and of those that are not there."""
        self._hub.halted = self._statuses.halted | self._listing.unlisted

    async def finished(self) -> None:
        """Waits until the source has been sent completely."""
        await self._player.finished.wait()

    async def until(self, stopped: asyncio.Event) -> None:
        """Waits until `stopped` is set; raises the error of the play, should it fail first."""
        stopping = asyncio.create_task(stopped.wait())
        await asyncio.wait({stopping, self._playing}, return_when=asyncio.FIRST_COMPLETED)
        if self._playing.done():
            self._playing.result()
        await stopping

    def status(self) -> dict[str, Any]:
        """What was sent so far; also served at `/simulator/status`."""
        return {
            "source": self._source.name,
            "finished": self._player.finished.is_set(),
            "clock_ms": self.clock_ms(),
            **self._hub.counts(),
        }

    def truth(
        self, since_ms: int | None = None, until_ms: int | None = None
    ) -> dict[str, TradeColumns]:
        """The trades that exist in [since_ms, until_ms), by symbol.

        By default those since the start up to now; of a recording, those that were played.
        """
        begun = self._started_ms if self._source.start_ms() is None else 0
        since = begun if since_ms is None else since_ms
        until = self.clock_ms() if until_ms is None else min(until_ms, self.clock_ms())
        symbols = self._source.instruments
        return {symbol: self._source.columns(symbol, since, until) for symbol in symbols}

    async def _process_request(
        self, connection: ServerConnection, request: Request
    ) -> Response | None:
        if request.path == STATUS_PATH:
            return _response(Reply(200, msgspec.json.encode(self.status())))
        if request.path.startswith(PREFIX):
            failure = self.faults.due(RestFailure)
            if failure is None:
                return _response(await self._answer(request.path))
            return await self._fail(connection, failure)
        if parse_target(request.path) is None:
            return connection.respond(404, f"no such route: {request.path}\n")
        self._handshakes += 1
        refusal = self.faults.due(RefuseHandshake, self._handshakes)
        if refusal is not None:
            return connection.respond(refusal.status, "refused on purpose\n")
        return None

    async def _answer(self, target: str) -> Reply:
        if is_of_funding(target):
            refusal = self._funding_budget.spend(1, time.monotonic())
        else:
            refusal = self._budget.spend(request_weight(target), time.monotonic())
        if refusal is not None:
            reply = refused(refusal, self._limits.weight_per_minute, self.clock_ms())
        else:
            reply = await asyncio.to_thread(self._rest.serve, target, self.clock_ms())
        used = {USED_WEIGHT: str(self._budget.used)}
        return reply._replace(headers={**reply.headers, **used})

    async def _fail(self, connection: ServerConnection, failure: RestFailure) -> Response | None:
        if failure.how == "timeout":
            # A request that is never answered must not keep the exchange from closing.
            await asyncio.wait({self._closing}, timeout=failure.seconds)
        if failure.how in ("timeout", "reset"):
            connection.transport.abort()
            return None
        return _failed(failure)

    async def _serve_client(self, connection: ServerConnection) -> None:
        endpoint = parse_target(connection.request.path) if connection.request else None
        if endpoint is None:
            return
        subscriptions = Subscriptions(endpoint, self._limits.streams_per_connection)
        if subscriptions.too_many:
            await connection.close(_POLICY_VIOLATION, "too many streams")
            return
        self._connections += 1
        drop = self.faults.due(DropAfterAccept, self._connections)
        if drop is not None:
            end_connection(connection, drop.reset)
        client = FaultyClient(self._connections, connection, subscriptions, self.faults)
        self._hub.add(client)
        try:
            async with asyncio.timeout(self._limits.connection_seconds):
                await self._answer_requests(client)
        except TimeoutError:
            await connection.close(1001, "connection has reached its age")
        except ConnectionClosed:
            _log.debug("client %d went without saying so", client.number)
        finally:
            self._hub.remove(client)

    async def _answer_requests(self, client: FaultyClient) -> None:
        rate = MessageRate(self._limits.messages_per_second)
        async for message in client.connection:
            if rate.exceeded(time.monotonic()):
                await client.connection.close(_POLICY_VIOLATION, "too many requests")
                return
            reply = client.subscriptions.answer(message)
            await client.connection.send(reply, text=True)
            self._hub.subscriptions_changed()


def _failed(failure: RestFailure) -> Response:
    """What a REST request gets that is to go wrong and is answered."""
    if failure.how == "malformed":
        return _response(Reply(200, b'[{"a":1,"p":"1.0",'))
    retry = {} if failure.retry_after is None else {RETRY_AFTER: str(failure.retry_after)}
    return _response(Reply(failure.status, failure.body, retry))


def _response(reply: Reply) -> Response:
    headers = Headers(reply.headers)
    headers["Content-Type"] = "application/json;charset=UTF-8"
    headers["Content-Length"] = str(len(reply.body))
    headers["Connection"] = "close"
    return Response(reply.status, _REASONS.get(reply.status, "Error"), headers, reply.body)
