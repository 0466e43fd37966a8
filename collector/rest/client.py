"""Requests to the exchange, each let go when the weight budget has room for it."""

import asyncio
import logging
import time
from collections import Counter
from contextlib import nullcontext
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from collector.log_lines import RateLimitedLog
from collector.network.access import Access
from collector.rest.budget import WeightBudget
from spreadlake.decoding import UNREADABLE
from spreadlake.trades import TradeEvent
from spreadlake.venue import FundingPage, Kline, Listed, Request

log = logging.getLogger(__name__)
T = TypeVar("T")

_TOLD = 600.0
_OTHERS = (
    "others at this address use the exchange's REST weight as well, %d of the %d a minute of "
    "collector.request_weight: requests wait for the next minute"
)


class RestError(Exception):
    """A request that failed in a way that may pass; the message says how.

    `answered`: the exchange itself refused it, with a code of its own.
    """

    answered: bool = False


class RestRefusedError(RestError):
    """A symbol that the exchange does not know, or no longer does; asking again is no use.

    `by_status`: unless it is only its status, which may pass.
    """

    def __init__(self, message: str, by_status: bool = False) -> None:
        super().__init__(message)
        self.by_status = by_status


class _Line:
    """Requests that share a budget wait their turn in it, in order."""

    def __init__(self, budget: WeightBudget) -> None:
        self.budget = budget
        self.turn = asyncio.Lock()


class RestClient:
    """All requests of the collector share its budget and wait their turn in it, in order.

    But for those for funding rates, whose limit is another one. Those that were let go are under
    way side by side.
    """

    def __init__(
        self,
        access: Access,
        budget: WeightBudget,
        timeout: float = 10.0,
    ) -> None:
        self._access = access
        self._venue = access.venue
        self.counts: Counter[str] = Counter()
        self._budget = budget
        self._line = _Line(budget)
        self._funding_line = _Line(WeightBudget(*access.venue.FUNDING_REQUESTS))
        self._klines_turn = asyncio.Lock()
        # `timeout` is for each byte to come; an answer that trickles must end as well.
        self._whole = 3 * timeout
        self._tell = RateLimitedLog(log.info, _TOLD)
        self._http = httpx.AsyncClient(
            base_url=self._access.url, timeout=timeout, **self._access.rest_options
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def trades_from(self, symbol: str, from_id: int) -> list[TradeEvent]:
        """A page of trades in order, the first of them with the least id >= from_id."""
        return _received(await self._get(self._venue.trades_from(symbol, from_id)))

    async def trades_since(self, symbol: str, start_ms: int, limit: int) -> list[TradeEvent]:
        """At most `limit` trades in order, the first of them at `start_ms` or next after it."""
        return _received(await self._get(self._venue.trades_since(symbol, start_ms, limit)))

    async def latest_trades(self, symbol: str, limit: int) -> list[TradeEvent]:
        """The `limit` newest trades in order."""
        return _received(await self._get(self._venue.latest_trades(symbol, limit)))

    async def klines(
        self, symbol: str, interval: str, limit: int, end_ms: int | None = None
    ) -> list[Kline]:
        """The `limit` newest klines that open up to `end_ms`, in order.

        Without `end_ms` the last one is not over yet.
        """
        # One at a time, however many are wanted at once: a repair that comes then is the next.
        request = self._venue.klines(symbol, interval, limit, end_ms)
        return await self._get(request, turn=self._klines_turn)

    async def listing(self) -> list[Listed]:
        """All contracts of the exchange."""
        return await self._get(self._venue.listing())

    async def volumes(self) -> dict[str, float]:
        """The quote volume of the last 24 hours of every contract that trades, by symbol."""
        return await self._get(self._venue.volumes())

    async def funding(
        self, symbol: str | None, start_ms: int, end_ms: int | None = None
    ) -> FundingPage:
        """A page of funding rates in order of time, from `start_ms` on; None: of all symbols."""
        request = self._venue.funding(symbol, start_ms, end_ms)
        return await self._get(request, self._funding_line)

    async def _get(
        self, request: Request[T], line: _Line | None = None, turn: asyncio.Lock | None = None
    ) -> T:
        async with turn or nullcontext():
            sent = await self._wait_for(request.weight, line or self._line)
        self.counts["rest_requests"] += 1
        try:
            response = await self._send(request)
            if (used := self._venue.used_weight(response.headers)) is not None:
                self._budget.report(used, sent, time.monotonic())
            if response.status_code != httpx.codes.OK:
                raise self._refused(response)
            return request.decode(response.content)
        except UNREADABLE as error:
            self.counts["rest_errors"] += 1
            reason = self._not_the_exchange(response) or f"the answer is not understood: {error}"
            raise RestError(f"{request.name}: {reason}") from error
        except RestError:
            self.counts["rest_errors"] += 1
            raise

    async def _send(self, request: Request[Any]) -> httpx.Response:
        try:
            async with asyncio.timeout(self._whole):
                return await self._http.get(request.path, params=request.parameters)
        except TimeoutError as error:
            raise RestError(f"{request.name}: no whole answer within {self._whole:g} s") from error
        except Exception as error:  # what leads through a proxy has errors of its own
            raise RestError(f"{request.name}: {self._access.explain(error)}") from error

    async def _wait_for(self, weight: int, line: _Line) -> float:
        """Returns when a request of `weight` may be sent: at this time, by the monotonic clock."""
        async with line.turn:
            while delay := line.budget.delay(weight, now := time.monotonic()):
                if others := line.budget.others(now):
                    self._tell(_OTHERS, others, line.budget.most)
                await asyncio.sleep(delay)
            line.budget.spend(weight, now)
            return now

    def _not_the_exchange(self, response: httpx.Response) -> str:
        """What a web page in place of an answer means; empty for anything else."""
        if not response.content.lstrip().startswith(b"<"):
            return ""
        return (
            f"a web page, and no answer of the exchange's: check {self._access.setting}, and what "
            "is between (a proxy, a login page)"
        )

    def _refused(self, response: httpx.Response) -> RestError:
        status = response.status_code
        now_ms = time.time_ns() // 1_000_000
        refusal = self._venue.refusal(status, response.headers, response.content, now_ms)
        if refusal.wait is not None:
            # A ban is of the address, and so is what leads to one.
            for line in (self._line, self._funding_line):
                line.budget.block(refusal.wait, time.monotonic())
            return RestError(
                f"HTTP {status}: over the exchange's limit, waiting {refusal.wait:.0f} s"
            )
        said = self._not_the_exchange(response) or " ".join(response.text.split())[:200]
        if refusal.of is not None:
            return RestRefusedError(f"HTTP {status}: {said}", refusal.of == "status")
        error = RestError(f"HTTP {status}: {said}")
        error.answered = refusal.answered
        return error


def _received(trades: list[TradeEvent]) -> list[TradeEvent]:
    """The trades of an answer that has just come."""
    now_ms = time.time_ns() // 1_000_000
    for trade in trades:
        trade.received_ms = now_ms
    return trades
