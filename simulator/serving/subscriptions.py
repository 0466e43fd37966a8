"""The streams of one client, and the requests that it sends about them. Pure: no socket.

Source: Binance open platform, USDⓈ-M futures, "Live subscribing/unsubscribing to streams".
"""

import re
from typing import Any, get_args

import msgspec

from spreadlake.binance.streams import Endpoint, route_of
from spreadlake.decoding import UNREADABLE
from spreadlake.venue import Method

_STREAM = re.compile(r"[^@\s/]+@\S+|![^\s/]+")
_METHODS = (*get_args(Method), "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
_LARGEST_ID = 2**64


class _RequestError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Subscriptions:
    """The streams of one connection, changed by the requests it sends."""

    def __init__(self, endpoint: Endpoint, most_streams: int) -> None:
        self.streams = dict.fromkeys(endpoint.streams)
        self.combined = endpoint.combined
        self._route = endpoint.route
        self._most_streams = most_streams

    @property
    def carried(self) -> list[str]:
        """Those of its streams that come on its route; the others stay silent."""
        return [name for name in self.streams if route_of(name) == self._route]

    @property
    def too_many(self) -> bool:
        """Whether the connection has more streams than one may have."""
        return len(self.streams) > self._most_streams

    def answer(self, message: str | bytes) -> bytes:
        """Does what the client asks and gives the reply in JSON."""
        request_id: object = None
        try:
            request = _parse(message)
            request_id = _request_id(request)
            result = self._do(_method(request), request.get("params"))
        except _RequestError as error:
            reply: dict[str, Any] = {"error": {"code": error.code, "msg": str(error)}}
            return msgspec.json.encode(reply if request_id is None else reply | {"id": request_id})
        return msgspec.json.encode({"result": result, "id": request_id})

    def _do(self, method: str, params: object) -> object:
        if method == "LIST_SUBSCRIPTIONS":
            return list(self.streams)
        if not isinstance(params, list):
            raise _RequestError(2, "Invalid request: missing field `params`")
        if method.endswith("_PROPERTY"):
            return self._property(method, params)
        names = _stream_names(params)
        if method == "SUBSCRIBE":
            self._subscribe(names)
        else:
            for name in names:
                self.streams.pop(name, None)
        return None

    def _subscribe(self, names: list[str]) -> None:
        streams = self.streams | dict.fromkeys(names)
        if len(streams) > self._most_streams:
            raise _RequestError(2, "Invalid request: too many parameters")
        self.streams = streams

    def _property(self, method: str, params: list[object]) -> object:
        if not params or not isinstance(params[0], str):
            raise _RequestError(2, "Invalid request: property name must be a string")
        if params[0] != "combined":
            raise _RequestError(0, "Unknown property")
        if method == "GET_PROPERTY":
            return self.combined
        if len(params) != 2 or not isinstance(params[1], bool):
            raise _RequestError(1, "Invalid value type: expected Boolean")
        self.combined = params[1]
        return None


def _parse(message: str | bytes) -> dict[str, Any]:
    try:
        request = msgspec.json.decode(message)
    except UNREADABLE:
        raise _RequestError(3, "Invalid JSON: expected value at line 1 column 1") from None
    if not isinstance(request, dict):
        raise _RequestError(2, "Invalid request: expected an object")
    return request


def _request_id(request: dict[str, Any]) -> int:
    request_id = request.get("id")
    if type(request_id) is not int or not 0 <= request_id < _LARGEST_ID:
        raise _RequestError(2, "Invalid request: request ID must be an unsigned integer")
    return request_id


def _method(request: dict[str, Any]) -> str:
    method = request.get("method")
    if method is None:
        raise _RequestError(2, "Invalid request: missing field `method`")
    if method not in _METHODS:
        raise _RequestError(
            2, f"Invalid request: unknown variant {method}, expected one of {', '.join(_METHODS)}"
        )
    return str(method)


def _stream_names(params: list[object]) -> list[str]:
    names = [name for name in params if isinstance(name, str) and _STREAM.fullmatch(name)]
    if len(names) != len(params):
        raise _RequestError(2, "Invalid request: invalid stream")
    return names
