"""The REST side: a request target in, status and JSON out. No socket, no clock.

Source: Binance open platform, USDⓈ-M futures, "Market data endpoints" and "Error codes".
"""

from collections.abc import Mapping
from itertools import filterfalse
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import msgspec

from simulator.serving.funding import funding_rows
from simulator.serving.klines import INTERVALS, klines
from simulator.serving.limits import OverLimit
from simulator.serving.listing import Listing
from simulator.serving.statuses import Statuses
from simulator.source import Source, TradesQuery
from spreadlake.binance import rest as api
from spreadlake.binance.errors import BANNED, Code, ErrorBody
from spreadlake.binance.funding_rates import DEFAULT_FUNDING_PAGE, FUNDING, FUNDING_PAGE
from spreadlake.binance.limits import RETRY_AFTER, banned_until

_HOUR_MS = 3_600_000
_MOST_DIGITS = 18


class Reply(NamedTuple):
    """An HTTP response with a JSON body."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


class _BadRequestError(Exception):
    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


def refused(refusal: OverLimit, limit: int, now_ms: int) -> Reply:
    """The response to a request over the limit, or from a banned address."""
    if refusal.status == BANNED:
        until = banned_until(now_ms + 1000 * refusal.retry_after)
        message = (
            f"Way too many requests; {until}. "
            "Please use the websocket for live updates to avoid bans."
        )
    else:
        message = (
            f"Too many requests; current limit of IP is {limit} requests per minute. "
            "Please use the websocket for live updates to avoid polling the API."
        )
    headers = {RETRY_AFTER: str(refusal.retry_after)}
    return Reply(refusal.status, _error(Code.TOO_MANY_REQUESTS, message), headers)


def request_weight(target: str) -> int:
    """Weight of a request: klines by their limit, trades and all others their own."""
    parts = urlsplit(target)
    endpoint = parts.path.removeprefix(api.PREFIX)
    if endpoint == api.TRADES:
        return api.TRADES_WEIGHT
    if endpoint == api.TICKERS:
        one = api.SYMBOL in dict(parse_qsl(parts.query))
        return api.OTHER_WEIGHT if one else api.TICKERS_WEIGHT
    if endpoint != api.KLINES:
        return api.OTHER_WEIGHT
    limit = dict(parse_qsl(parts.query)).get(api.LIMIT, "")
    return api.klines_weight(int(limit) if limit.isdecimal() else api.DEFAULT_PAGE)


def is_of_funding(target: str) -> bool:
    """Whether a request counts for the limit that funding rates have of their own."""
    return urlsplit(target).path == api.PREFIX + FUNDING


class Rest:
    """Serves the endpoints from `source`; `weight_limit` is what the list of contracts tells."""

    def __init__(
        self,
        source: Source,
        weight_limit: int,
        statuses: Statuses | None = None,
        listing: Listing | None = None,
    ) -> None:
        self._source = source
        self._statuses = statuses or Statuses({}, 0)
        self._weight_limit = weight_limit
        self.listing = listing or Listing(source, self._statuses, {})
        self._endpoints = {
            api.PING: lambda *_: b"{}",
            api.TIME: lambda _, now_ms: msgspec.json.encode({"serverTime": now_ms}),
            api.LISTING: lambda _, now_ms: self._listing(now_ms),
            api.TRADES: self._trades,
            api.KLINES: self._klines,
            api.TICKERS: self._tickers,
            FUNDING: self._funding,
        }

    def serve(self, target: str, now_ms: int) -> Reply:
        """The response to a GET of `target`; no trade at or after `now_ms` exists yet."""
        parts = urlsplit(target)
        endpoint = self._endpoints.get(parts.path.removeprefix(api.PREFIX))
        if endpoint is None or not parts.path.startswith(api.PREFIX):
            return Reply(
                404, _error(Code.NO_SUCH_PATH, f"Path {parts.path}, Method GET is invalid")
            )
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        try:
            return Reply(200, endpoint(query, now_ms))
        except _BadRequestError as error:
            return Reply(400, _error(error.code, str(error)))

    def _trades(self, query: dict[str, str], now_ms: int) -> bytes:
        symbol = self._symbol(query)
        request = TradesQuery(
            symbol,
            _limit(query, api.TRADES_PAGE),
            self._statuses.shown_until(symbol, now_ms),
            _number(query, api.FROM_ID),
            _number(query, api.START),
            _number(query, api.END),
        )
        _check_times(request.start_ms, request.end_ms)
        both = request.start_ms is not None and request.end_ms is not None
        if request.from_id is not None and (request.start_ms, request.end_ms) != (None, None):
            raise _BadRequestError(
                Code.INVALID_COMBINATION, "Combination of optional parameters invalid."
            )
        if both and (request.end_ms or 0) - (request.start_ms or 0) > _HOUR_MS:
            raise _BadRequestError(
                Code.TOO_LONG_AN_INTERVAL, f"More than 1 hours between {api.START} and {api.END}."
            )
        if not request.now_ms:
            return b"[]"
        return b"[" + b",".join(self._source.rest_trades(request)) + b"]"

    def _tickers(self, query: dict[str, str], now_ms: int) -> bytes:
        if api.SYMBOL in query:
            return msgspec.json.encode(self.listing.ticker(self._symbol(query), now_ms))
        return msgspec.json.encode(list(self.listing.tickers(now_ms)))

    def _klines(self, query: dict[str, str], now_ms: int) -> bytes:
        symbol = self._symbol(query)
        step = INTERVALS.get(query.get(api.INTERVAL, ""))
        if step is None:
            raise _BadRequestError(Code.INVALID_INTERVAL, "Invalid interval.")
        limit = _limit(query, api.MOST_KLINES)
        start, end = _number(query, api.START), _number(query, api.END)
        _check_times(start, end)
        now_ms = self._statuses.shown_until(symbol, now_ms)
        last = min(now_ms - 1, now_ms if end is None else end) // step
        first = last - limit + 1 if start is None else max(0, -(-start // step))
        count = min(limit, last - first + 1)
        if count <= 0 or not now_ms:
            return b"[]"
        return msgspec.json.encode(self._rows(symbol, step, first, count, now_ms))

    def _rows(self, symbol: str, step: int, first: int, count: int, now_ms: int) -> list[Any]:
        opening, closing = first * step, min((first + count) * step, now_ms)
        trades = self._source.parts(symbol, opening, closing)

        def close_before() -> float | None:
            before = self._source.columns(symbol, opening - _HOUR_MS, opening)
            return float(before.prices[-1]) if len(before) else None

        contract = self._source.instruments[symbol]
        return klines(trades, contract, step, opening, count, close_before)

    def _funding(self, query: dict[str, str], now_ms: int) -> bytes:
        asked = query.get(api.SYMBOL) is not None
        listed = self._source.instruments
        symbols = [self._symbol(query)] if asked else [*filterfalse(self._statuses.is_over, listed)]
        limit = _limit(query, FUNDING_PAGE, DEFAULT_FUNDING_PAGE)
        start, end = _number(query, api.START), _number(query, api.END)
        _check_times(start, end)
        until = {symbol: self._statuses.shown_until(symbol, now_ms) for symbol in symbols}
        return msgspec.json.encode(funding_rows(self._source, until, limit, start, end))

    def _symbol(self, query: dict[str, str]) -> str:
        symbol = query.get(api.SYMBOL)
        if not symbol:
            raise _BadRequestError(
                Code.MANDATORY_PARAMETER,
                "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.",
            )
        if not self.listing.is_listed(symbol):
            raise _BadRequestError(Code.BAD_SYMBOL, "Invalid symbol.")
        if self._statuses.is_over(symbol):
            raise _BadRequestError(Code.INVALID_SYMBOL_STATUS, "Invalid symbol status.")
        return symbol

    def _listing(self, now_ms: int) -> bytes:
        limit = {
            "rateLimitType": "REQUEST_WEIGHT",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": self._weight_limit,
        }
        return msgspec.json.encode(
            {
                "timezone": "UTC",
                "serverTime": now_ms,
                "futuresType": "U_MARGINED",
                "rateLimits": [limit],
                "exchangeFilters": [],
                "assets": [],
                "symbols": self.listing.rows(),
            }
        )


def _error(code: Code, message: str) -> bytes:
    return msgspec.json.encode(ErrorBody(code, message))


def _number(query: dict[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not text.isdecimal() or len(text) > _MOST_DIGITS:
        raise _BadRequestError(
            Code.ILLEGAL_CHARACTERS,
            f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.",
        )
    return int(text)


def _limit(query: dict[str, str], most: int, default: int = api.DEFAULT_PAGE) -> int:
    limit = _number(query, api.LIMIT)
    if limit is None:
        return default
    if not 1 <= limit <= most:
        raise _BadRequestError(
            Code.INVALID_PARAMETER, "Data sent for parameter 'limit' is not valid."
        )
    return limit


def _check_times(start_ms: int | None, end_ms: int | None) -> None:
    if start_ms is not None and end_ms is not None and start_ms > end_ms:
        raise _BadRequestError(Code.START_AFTER_END, "Start time is greater than end time.")
