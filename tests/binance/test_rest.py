"""Answers of REST: what nobody reads spoils nothing."""

import json

import pytest

from spreadlake import binance
from spreadlake.binance.errors import Code, error_code

KLINE = [
    1_700_000_000_000, "10", "12", "9", "11", "3.5", 1_700_000_059_999, "38.5", 7, "1.5",
]  # fmt: skip


@pytest.mark.parametrize("rest", [[], ["16.5"], ["7", 0], ["7", None], ["-1", "0"], [None, {}, 1]])
def test_a_kline_is_read_whatever_follows_what_is_used_of_it(rest: list[object]) -> None:
    body = json.dumps([[*KLINE, *rest]]).encode()
    [kline] = binance.klines("BTCUSDT", "1m", 1).decode(body)
    assert (kline.open_ms, kline.close, kline.trades) == (1_700_000_000_000, 11.0, 7)
    assert kline.taker_buy_volume == 1.5


TRADE = {"a": 7, "p": "10.5", "q": "2", "f": 20, "l": 22, "T": 1_700_000_000_000, "m": True}


@pytest.mark.parametrize(
    ("more", "details"),
    [
        ({"nq": "1.5"}, (20, 22, 1.5)),
        ({}, (20, 22, None)),
        ({"nq": "-1"}, (None, None, None)),
        ({"f": "x"}, (None, None, None)),
    ],
)
def test_what_is_said_beside_a_trade_costs_no_trade(
    more: dict[str, object], details: tuple[object, ...]
) -> None:
    body = json.dumps([TRADE | more, TRADE | {"a": 8, "p": "0"}, TRADE | {"a": 9}]).encode()
    first, second = binance.latest_trades("BTCUSDT", 3).decode(body)
    assert (first.trade_id, first.price, first.qty) == (7, 10.5, 2.0)
    assert (first.first_trade_id, first.last_trade_id, first.qty_ex_rpi) == details
    assert (second.trade_id, second.last_trade_id) == (9, 22)


@pytest.mark.parametrize("message", [b'"Invalid symbol."', b"null", b"7", b'{"en": "no"}'])
def test_the_code_of_a_refusal_is_read_whatever_its_words(message: bytes) -> None:
    assert error_code(b'{"code":-1121,"msg":' + message + b"}") == Code.BAD_SYMBOL
    assert error_code(b'{"code":-1121}') == Code.BAD_SYMBOL
    assert error_code(b'{"msg":"no code"}') is None
