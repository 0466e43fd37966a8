"""The REST side: a request target in, status and JSON out. No socket, no clock.

Source: Binance open platform, USDⓈ-M futures, "Market data endpoints" and "Error codes".
"""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import msgspec

from simulator.serving.klines import INTERVALS, klines
from simulator.serving.limits import Refusal
from simulator.serving.statuses import Statuses
from simulator.source import AggTradesQuery, Source
from simulator.synthetic.instruments import Contract

PREFIX = "/fapi/v1/"
_HOUR_MS = 3_600_000
_MOST_DIGITS = 18


class Reply(NamedTuple):
    """An HTTP response with a JSON body."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


class _BadRequestError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def refused(refusal: Refusal, limit: int, now_ms: int) -> Reply:
    """The response to a request over the limit, or from a banned address."""
    if refusal.status == 418:
        until = now_ms + 1000 * refusal.retry_after
        message = (
            f"Way too many requests; IP banned until {until}. "
            "Please use the websocket for live updates to avoid bans."
        )
    else:
        message = (
            f"Too many requests; current limit of IP is {limit} requests per minute. "
            "Please use the websocket for live updates to avoid polling the API."
        )
    headers = {"Retry-After": str(refusal.retry_after)}
    return Reply(refusal.status, _error(-1003, message), headers)


def request_weight(target: str) -> int:
    """Weight of a request: klines by their limit, aggTrades 20, all others 1."""
    parts = urlsplit(target)
    endpoint = parts.path.removeprefix(PREFIX)
    if endpoint == "aggTrades":
        return 20
    if endpoint != "klines":
        return 1
    limit = dict(parse_qsl(parts.query)).get("limit", "500")
    rows = int(limit) if limit.isdecimal() else 500
    return next((weight for most, weight in ((99, 1), (499, 2), (1000, 5)) if rows <= most), 10)


class Rest:
    """Serves the endpoints from `source`; `weight_limit` is what exchangeInfo tells."""

    def __init__(self, source: Source, weight_limit: int, statuses: Statuses | None = None) -> None:
        self._source = source
        self._statuses = statuses or Statuses({}, 0)
        self._weight_limit = weight_limit
        self._endpoints = {
            "ping": lambda *_: b"{}",
            "time": lambda _, now_ms: msgspec.json.encode({"serverTime": now_ms}),
            "exchangeInfo": lambda _, now_ms: self._exchange_info(now_ms),
            "aggTrades": self._agg_trades,
            "klines": self._klines,
        }

    def serve(self, target: str, now_ms: int) -> Reply:
        """The response to a GET of `target`; no trade at or after `now_ms` exists yet."""
        parts = urlsplit(target)
        endpoint = self._endpoints.get(parts.path.removeprefix(PREFIX))
        if endpoint is None or not parts.path.startswith(PREFIX):
            return Reply(404, _error(-5000, f"Path {parts.path}, Method GET is invalid"))
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        try:
            return Reply(200, endpoint(query, now_ms))
        except _BadRequestError as error:
            return Reply(400, _error(error.code, str(error)))

    def _agg_trades(self, query: dict[str, str], now_ms: int) -> bytes:
        symbol = self._symbol(query)
        request = AggTradesQuery(
            symbol,
            _limit(query, 500, 1000),
            self._statuses.shown_until(symbol, now_ms),
            _number(query, "fromId"),
            _number(query, "startTime"),
            _number(query, "endTime"),
        )
        _check_times(request.start_ms, request.end_ms)
        both = request.start_ms is not None and request.end_ms is not None
        if request.from_id is not None and (request.start_ms, request.end_ms) != (None, None):
            raise _BadRequestError(-1128, "Combination of optional parameters invalid.")
        if both and (request.end_ms or 0) - (request.start_ms or 0) > _HOUR_MS:
            raise _BadRequestError(-1127, "More than 1 hours between startTime and endTime.")
        if not request.now_ms:
            return b"[]"
        return b"[" + b",".join(self._source.agg_trades(request)) + b"]"

    def _klines(self, query: dict[str, str], now_ms: int) -> bytes:
        symbol = self._symbol(query)
        step = INTERVALS.get(query.get("interval", ""))
        if step is None:
            raise _BadRequestError(-1120, "Invalid interval.")
        limit = _limit(query, 500, 1500)
        start, end = _number(query, "startTime"), _number(query, "endTime")
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

    def _symbol(self, query: dict[str, str]) -> str:
        symbol = query.get("symbol")
        if not symbol:
            raise _BadRequestError(
                -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."
            )
        if symbol not in self._source.instruments:
            raise _BadRequestError(-1121, "Invalid symbol.")
        if self._statuses.is_over(symbol):
            raise _BadRequestError(-1122, "Invalid symbol status.")
        return symbol

    def _exchange_info(self, now_ms: int) -> bytes:
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
                "symbols": [
                    _symbol_info(one, self._statuses.of(one.symbol))
                    for one in self._source.instruments.values()
                ],
            }
        )


def _error(code: int, message: str) -> bytes:
    return msgspec.json.encode({"code": code, "msg": message})


def _number(query: dict[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not text.isdecimal() or len(text) > _MOST_DIGITS:
        raise _BadRequestError(
            -1100,
            f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.",
        )
    return int(text)


def _limit(query: dict[str, str], default: int, most: int) -> int:
    limit = _number(query, "limit")
    if limit is None:
        return default
    if not 1 <= limit <= most:
        raise _BadRequestError(-1130, "Data sent for parameter 'limit' is not valid.")
    return limit


def _check_times(start_ms: int | None, end_ms: int | None) -> None:
    if start_ms is not None and end_ms is not None and start_ms > end_ms:
        raise _BadRequestError(-1023, "Start time is greater than end time.")


def _symbol_info(contract: Contract, status: str) -> dict[str, Any]:
    quote = next((q for q in ("USDT", "USDC") if contract.symbol.endswith(q)), "USDT")
    return {
        "symbol": contract.symbol,
        "pair": contract.symbol,
        "contractType": "PERPETUAL",
        "status": status,
        "baseAsset": contract.symbol.removesuffix(quote),
        "quoteAsset": quote,
        "marginAsset": quote,
        "pricePrecision": contract.price_decimals,
        "quantityPrecision": contract.qty_decimals,
        "underlyingType": "COIN",
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": contract.tick_size,
                "maxPrice": "10000000",
                "tickSize": contract.tick_size,
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": contract.step_size,
                "maxQty": "100000000",
                "stepSize": contract.step_size,
            },
        ],
    }
