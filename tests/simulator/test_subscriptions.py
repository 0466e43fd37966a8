"""Routes and requests, as the exchange documents them."""

import json

import pytest

from simulator.serving.subscriptions import Subscriptions
from spreadlake.binance.streams import Endpoint, parse_target, route_of

BTC, ETH = "btcusdt@aggTrade", "ethusdt@aggTrade"


@pytest.mark.parametrize(
    ("target", "endpoint"),
    [
        (f"/market/stream?streams={BTC}/{ETH}", Endpoint(True, "market", (BTC, ETH))),
        ("/market/stream?streams=btcusdt%40aggTrade", Endpoint(True, "market", (BTC,))),
        ("/market/stream", Endpoint(True, "market", ())),
        ("/market/ws", Endpoint(False, "market", ())),
        (f"/market/ws/{BTC}", Endpoint(False, "market", (BTC,))),
        (f"/market/ws/{BTC}/{ETH}", Endpoint(False, "market", (BTC, ETH))),
        (f"/public/stream?streams={BTC}", Endpoint(True, "public", (BTC,))),
        ("/public/ws/btcusdt@trade", Endpoint(False, "public", ("btcusdt@trade",))),
        (f"/private/ws/{BTC}", Endpoint(False, "private", (BTC,))),
        (f"/stream?streams={BTC}", Endpoint(True, "public", (BTC,))),
        (f"/ws/{BTC}", Endpoint(False, "public", (BTC,))),
        ("/", None),
        ("/market", None),
        ("/public", None),
        ("/market/streams", None),
        ("/market/public/stream", None),
        ("/wss", None),
    ],
)
def test_targets(target: str, endpoint: Endpoint | None) -> None:
    assert parse_target(target) == endpoint


@pytest.mark.parametrize(
    ("stream", "route"),
    [
        (BTC, "market"),
        ("btcusdt@trade", "public"),
        ("btcusdt_261225@trade", "public"),
        ("btcusdt@bookTicker", "public"),
        ("!bookTicker", "public"),
        ("btcusdt@depth", "public"),
        ("btcusdt@depth@100ms", "public"),
        ("btcusdt@depth20@500ms", "public"),
        ("btcusdt@rpiDepth@500ms", "public"),
        ("btcusdt@kline_1m", "market"),
        ("btcusdt@markPrice@1s", "market"),
        ("!ticker@arr", "market"),
        ("!markPrice@arr@1s", "market"),
        ("!forceOrder@arr", "market"),
    ],
)
def test_every_stream_has_one_route(stream: str, route: str) -> None:
    assert route_of(stream) == route
    for endpoint in ("public", "market", "private"):
        target = parse_target(f"/{endpoint}/ws/{stream}")
        assert target is not None
        on = Subscriptions(target, most_streams=3)
        assert on.carried == ([stream] if endpoint == route else [])
        assert ask(on, "LIST_SUBSCRIPTIONS") == [stream]


def subscriptions() -> Subscriptions:
    return Subscriptions(Endpoint(True, "market", (BTC,)), most_streams=3)


def ask(on: Subscriptions, method: str, params: object = None) -> object:
    message = {"method": method, "params": params, "id": 7}
    reply = json.loads(on.answer(json.dumps(message)))
    assert reply.pop("id") == 7
    return reply.get("result", reply)


def test_subscribe_unsubscribe_and_list() -> None:
    on = subscriptions()
    assert ask(on, "SUBSCRIBE", [ETH, "!ticker@arr"]) is None
    assert ask(on, "LIST_SUBSCRIPTIONS") == [BTC, ETH, "!ticker@arr"]
    assert ask(on, "UNSUBSCRIBE", [BTC, "never@aggTrade"]) is None
    assert ask(on, "LIST_SUBSCRIPTIONS") == [ETH, "!ticker@arr"]
    assert ask(on, "GET_PROPERTY", ["combined"]) is True
    assert ask(on, "SET_PROPERTY", ["combined", False]) is None
    assert on.combined is False


def test_acknowledgement_is_written_as_the_exchange_writes_it() -> None:
    reply = subscriptions().answer('{"method":"SUBSCRIBE","params":["a@b"],"id":1}')
    assert reply == b'{"result":null,"id":1}'


@pytest.mark.parametrize(
    ("message", "code", "text"),
    [
        ("{", 3, "Invalid JSON"),
        ("[]", 2, "Invalid request"),
        ('{"method":"SUBSCRIBE","params":[]}', 2, "request ID must be an unsigned integer"),
        ('{"method":"SUBSCRIBE","params":[],"id":"x"}', 2, "request ID must be"),
        ('{"method":"SUBSCRIBE","params":[],"id":true}', 2, "request ID must be"),
        ('{"method":"SUBSCRIBE","params":[],"id":-1}', 2, "request ID must be"),
        ('{"params":[],"id":1}', 2, "missing field `method`"),
        ('{"method":"JOIN","params":[],"id":1}', 2, "unknown variant JOIN, expected one of"),
        ('{"method":"SUBSCRIBE","id":1}', 2, "missing field `params`"),
        ('{"method":"SUBSCRIBE","params":["btcusdt"],"id":1}', 2, "invalid stream"),
        ('{"method":"SUBSCRIBE","params":[1],"id":1}', 2, "invalid stream"),
        ('{"method":"SUBSCRIBE","params":["a@b","c@d","e@f"],"id":1}', 2, "too many parameters"),
        ('{"method":"GET_PROPERTY","params":["other"],"id":1}', 0, "Unknown property"),
        ('{"method":"GET_PROPERTY","params":[1],"id":1}', 2, "property name must be a string"),
        ('{"method":"SET_PROPERTY","params":["combined",1],"id":1}', 1, "expected Boolean"),
    ],
)
def test_wrong_requests_change_nothing_and_say_what_is_wrong(
    message: str, code: int, text: str
) -> None:
    on = subscriptions()
    reply = json.loads(on.answer(message))
    assert reply["error"]["code"] == code
    assert text in reply["error"]["msg"]
    assert list(on.streams) == [BTC]


def test_a_binary_request_that_is_not_text_is_answered() -> None:
    assert json.loads(subscriptions().answer(b"\xff\xfe"))["error"]["code"] == 3
