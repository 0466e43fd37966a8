"""Requests to the exchange, each let go when the weight budget has room for it."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

import httpx
import msgspec

from collector.limited_log import RateLimitedLog
from collector.network.access import Access
from collector.network.bans import seconds_to_wait
from collector.rest.answers import (
    Kline,
    SymbolInfo,
    decode_agg_trades,
    decode_exchange_info,
    decode_klines,
    error_code,
)
from collector.rest.budget import WeightBudget
from collector.rest.weights import AGG_TRADES_WEIGHT, EXCHANGE_INFO_WEIGHT, klines_weight
from spreadlake.binance import AggTrade

log = logging.getLogger(__name__)
T = TypeVar("T")
Parameters = dict[str, str | int]

PAGE = 1000
"""Most trades in one answer."""

# Used where the exchange limits us without saying for how long.
_RETRY_AFTER = 60.0
_LIMITED = (418, 429)
_TOLD = 600.0
_OTHERS = (
    "others at this address use the exchange's REST weight as well, %d of the %d a minute of "
    "collector.request_weight: requests wait for the next minute"
)
# Binance: BAD_SYMBOL; and INVALID_SYMBOL_STATUS, which may pass as the status does.
_NO_SUCH_SYMBOL, _STATUS = -1121, -1122


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


class RestClient:
    """All requests of the collector share its budget and wait their turn in it, in order.

    Those that were let go are under way side by side.
    """

    def __init__(
        self,
        access: Access | str,
        budget: WeightBudget,
        counts: Counter[str],
        timeout: float = 10.0,
    ) -> None:
        """An `access` that is only an address is reached without proxy and TLS."""
        self._access = Access(access, "exchange.rest_url") if isinstance(access, str) else access
        self._counts = counts
        self._budget = budget
        self._turn = asyncio.Lock()
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

    async def trades_from(self, symbol: str, from_id: int) -> list[AggTrade]:
        """At most `PAGE` trades in order, the first of them with the least id >= from_id."""
        return await self._agg_trades(symbol, {"fromId": from_id, "limit": PAGE})

    async def trades_since(self, symbol: str, start_ms: int, limit: int) -> list[AggTrade]:
        """At most `limit` trades in order, the first of them at `start_ms` or next after it."""
        return await self._agg_trades(symbol, {"startTime": start_ms, "limit": limit})

    async def latest_trades(self, symbol: str, limit: int) -> list[AggTrade]:
        """The `limit` newest trades in order."""
        return await self._agg_trades(symbol, {"limit": limit})

    async def klines(
        self, symbol: str, interval: str, limit: int, end_ms: int | None = None
    ) -> list[Kline]:
        """The `limit` (1 to 1500) newest klines that open up to `end_ms`, in order.

        Without `end_ms` the last one is not over yet.
        """
        weight = klines_weight(limit)
        parameters: Parameters = {"symbol": symbol, "interval": interval, "limit": limit}
        if end_ms is not None:
            parameters["endTime"] = end_ms
        return await self._get("klines", parameters, weight, decode_klines)

    async def exchange_info(self) -> list[SymbolInfo]:
        """All contracts of the exchange."""
        return await self._get("exchangeInfo", {}, EXCHANGE_INFO_WEIGHT, decode_exchange_info)

    async def _agg_trades(self, symbol: str, parameters: Parameters) -> list[AggTrade]:
        return await self._get(
            "aggTrades",
            {"symbol": symbol, **parameters},
            AGG_TRADES_WEIGHT,
            lambda body: decode_agg_trades(body, symbol),
        )

    async def _get(
        self,
        endpoint: str,
        parameters: Parameters,
        weight: int,
        decode: Callable[[bytes], T],
    ) -> T:
        sent = await self._wait_for(weight)
        self._counts["rest_requests"] += 1
        try:
            response = await self._send(endpoint, parameters)
            self._note_used(response, sent)
            self._check(response)
            return decode(response.content)
        except msgspec.DecodeError as error:
            self._counts["rest_errors"] += 1
            reason = self._not_the_exchange(response) or f"the answer is not understood: {error}"
            raise RestError(f"{endpoint}: {reason}") from error
        except RestError:
            self._counts["rest_errors"] += 1
            raise

    async def _send(self, endpoint: str, parameters: Parameters) -> httpx.Response:
        try:
            async with asyncio.timeout(self._whole):
                return await self._http.get(f"/fapi/v1/{endpoint}", params=parameters)
        except TimeoutError as error:
            raise RestError(f"{endpoint}: no whole answer within {self._whole:g} s") from error
        except Exception as error:  # what leads through a proxy has errors of its own
            raise RestError(f"{endpoint}: {self._access.explain(error)}") from error

    async def _wait_for(self, weight: int) -> float:
        """Returns when a request of `weight` may be sent: at this time, by the monotonic clock."""
        async with self._turn:
            while delay := self._budget.delay(weight, now := time.monotonic()):
                if others := self._budget.others(now):
                    self._tell(_OTHERS, others, self._budget.per_minute)
                await asyncio.sleep(delay)
            self._budget.spend(weight, now)
            return now

    def _note_used(self, response: httpx.Response, sent: float) -> None:
        used = response.headers.get("X-MBX-USED-WEIGHT-1M", "")
        if used.isascii() and used.isdecimal():
            self._budget.report(int(used), sent, time.monotonic())

    def _not_the_exchange(self, response: httpx.Response) -> str:
        """What a web page in place of an answer means; empty for anything else."""
        if not response.content.lstrip().startswith(b"<"):
            return ""
        return (
            f"a web page, and no answer of the exchange's: check {self._access.setting}, and what "
            "is between (a proxy, a login page)"
        )

    def _check(self, response: httpx.Response) -> None:
        status = response.status_code
        if status == httpx.codes.OK:
            return
        said = self._not_the_exchange(response) or " ".join(response.text.split())[:200]
        if status in _LIMITED:
            seconds = seconds_to_wait(
                response.headers.get("Retry-After"),
                response.headers.get("Date"),
                response.content,
                time.time_ns() // 1_000_000,
            )
            seconds = _RETRY_AFTER if seconds is None else seconds
            self._budget.block(seconds, time.monotonic())
            raise RestError(f"HTTP {status}: over the exchange's limit, waiting {seconds:.0f} s")
        # Other refusals (a proxy, a firewall, "try again") say nothing of what was asked for.
        code = error_code(response.content)
        if code in (_NO_SUCH_SYMBOL, _STATUS):
            raise RestRefusedError(f"HTTP {status}: {said}", code == _STATUS)
        error = RestError(f"HTTP {status}: {said}")
        error.answered = status == httpx.codes.BAD_REQUEST and code is not None
        raise error
