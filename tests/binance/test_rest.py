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


@pytest.mark.parametrize("message", [b'"Invalid symbol."', b"null", b"7", b'{"en": "no"}'])
def test_the_code_of_a_refusal_is_read_whatever_its_words(message: bytes) -> None:
    assert error_code(b'{"code":-1121,"msg":' + message + b"}") == Code.BAD_SYMBOL
    assert error_code(b'{"code":-1121}') == Code.BAD_SYMBOL
    assert error_code(b'{"msg":"no code"}') is None
