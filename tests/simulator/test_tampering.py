"""No damaged frame may be taken for a trade that never was."""

from typing import Any

import pytest

from simulator import TAMPERINGS, Tamper
from spreadlake.binance.decode import AggTrade, FrameDecoder
from spreadlake.trades import FrameError, Ignored
from tests.trades import as_trade

HARMLESS = {
    "lost": 0,
    "duplicated": 2,
    "huge": 1,
    "long": 1,
    "nested": 1,
    "nested in the trade": 1,
    "not on the market": 1,
    "event time ahead": 1,
    "unknown event": 1,
    "unknown field": 1,
    "server error": 1,
}
FRAME = (
    b'{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1795000000005,"s":"BTCUSDT","a":7,'
    b'"p":"1.5","q":"2","nq":"2","f":1,"l":3,"T":1795000000000,"m":true}}'
)


@pytest.mark.parametrize("how", TAMPERINGS)
def test_no_tampering_makes_another_trade_of_a_frame(how: str) -> None:
    """Whatever is done to a frame, the decoder finds the true trade or none."""
    decoder = FrameDecoder("aggTrade")
    true = decoder.decode(FRAME)
    assert isinstance(true, AggTrade)
    found: list[Any] = []
    for frame in TAMPERINGS[how](FRAME):
        try:
            found.append(decoder.decode(frame))
        except FrameError:
            found.append(None)
    trades = [event for event in found if isinstance(event, AggTrade)]
    assert [as_trade(event) for event in trades] == [as_trade(true)] * HARMLESS.get(how, 0)
    if how in ("not on the market", "unknown event", "server error"):
        assert any(isinstance(event, Ignored) for event in found)


def test_a_tampering_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="'typo' is not a tampering"):
        Tamper("typo")
