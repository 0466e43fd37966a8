"""What each frame is: a trade, something normal that is none, or malformed, and where."""

import json
import re
from typing import Any

import pytest

from spreadlake.binance.decode import AggTrade, FrameDecoder, MarketTrade
from spreadlake.trades import CoinMargined, FrameError, Ignored, OffMarket
from tests.trades import Trade, as_trade

TIME_MS = 1_700_000_000_000
DAY_MS = 86_400_000
AGG: dict[str, Any] = {
    "e": "aggTrade", "E": TIME_MS + 7, "s": "BTCUSDT", "a": 12, "p": "35000.10", "q": "0.5",
    "nq": "0.4", "f": 100, "l": 104, "T": TIME_MS, "m": True, "st": 1,
}  # fmt: skip
TRADE: dict[str, Any] = {
    "e": "trade", "E": TIME_MS + 7, "s": "BTCUSDT", "t": 34, "p": "35000.10", "q": "0.5",
    "T": TIME_MS, "m": False, "X": "MARKET",
}  # fmt: skip


def decoded(event: Any, kind: Any = "aggTrade", combined: bool = True) -> Any:
    frame = {"stream": "btcusdt@aggTrade", "data": event} if combined else event
    return FrameDecoder(kind).decode(json.dumps(frame).encode())


@pytest.mark.parametrize("combined", [True, False])
@pytest.mark.parametrize("text", [True, False])
def test_a_trade_is_what_the_frame_says(combined: bool, text: bool) -> None:
    frame = json.dumps({"stream": "x", "data": AGG} if combined else AGG)
    event = FrameDecoder("aggTrade").decode(frame if text else frame.encode())
    assert event == AggTrade(
        "BTCUSDT", 12, TIME_MS, 35000.1, 0.5, True, 100, 104, 0.4, None, TIME_MS + 7, 1
    )
    assert as_trade(event) == Trade("BTCUSDT", 12, TIME_MS, 35000.1, 0.5, True)
    other = decoded(TRADE, "trade", combined)
    assert other == MarketTrade(
        "BTCUSDT", 34, TIME_MS, 35000.1, 0.5, False, event_ms=TIME_MS + 7, market="MARKET"
    )
    assert as_trade(other) == Trade("BTCUSDT", 34, TIME_MS, 35000.1, 0.5, False)


@pytest.mark.parametrize("missing", ["E", "st", "nq", "f", "l"])
def test_what_a_trade_can_do_without(missing: str) -> None:
    event = {key: value for key, value in AGG.items() if key != missing}
    assert as_trade(decoded(event)).trade_id == 12


@pytest.mark.parametrize("combined", [True, False])
@pytest.mark.parametrize(
    "wrong", [{"f": -1, "l": -1}, {"f": 2**53}, {"l": "x"}, {"nq": "nan"}, {"nq": [1]}]
)
def test_what_cannot_be_true_beside_a_trade_costs_no_trade(
    wrong: dict[str, Any], combined: bool
) -> None:
    event = decoded(AGG | wrong, combined=combined)
    assert as_trade(event) == Trade("BTCUSDT", 12, TIME_MS, 35000.1, 0.5, True)
    assert (event.first_trade_id, event.last_trade_id, event.qty_ex_rpi) == (None, None, None)
    empty = OffMarket("a trade without a quantity", "BTCUSDT", 12)
    assert decoded(AGG | wrong | {"q": "0"}, combined=combined) == empty


@pytest.mark.parametrize("value", [0, "0", "0.4", None])
def test_a_quantity_without_orders_that_are_improved_may_be_nothing(value: Any) -> None:
    expected = None if value is None else float(value)
    assert decoded(AGG | {"nq": value}).qty_ex_rpi == expected


@pytest.mark.parametrize("key", ["s", "a", "T", "p", "q", "m"])
@pytest.mark.parametrize("combined", [True, False])
def test_what_a_trade_cannot_do_without(key: str, combined: bool) -> None:
    event = {name: value for name, value in AGG.items() if name != key}
    with pytest.raises(FrameError, match=f"missing required field `{key}`"):
        decoded(event, combined=combined)


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("a", [0, 2**53 - 1], [-1, 2**53, "x", None]),
        ("T", [TIME_MS], [0, -5, 4_102_444_800_000, "soon"]),
        ("p", ["1e-12", "999999999999999", 5], ["0", "-1", "1e15", "nan", "inf", "", None]),
        ("q", ["1e-12", "999999999999999", 5], ["-1", "1e15", "nan", "inf", "", None]),
        ("m", [True, False], ["perhaps", 2, None]),
        ("s", ["ETHUSDT"], [5, None]),
    ],
)
def test_bounds_of_each_field(key: str, good: list[object], bad: list[object]) -> None:
    for value in good:
        assert type(decoded(AGG | {key: value})) is AggTrade
    for value in bad:
        with pytest.raises(FrameError, match=rf"\$\.{key}"):
            decoded(AGG | {key: value}, combined=False)


@pytest.mark.parametrize(
    ("apart", "message"),
    [
        (-5_000, None),
        (-5_001, f"trade time {TIME_MS} is more than 5 s after its event time {TIME_MS - 5_001}"),
        (DAY_MS, None),
        (
            DAY_MS + 1,
            f"trade time {TIME_MS} is more than a day before its event time {TIME_MS + DAY_MS + 1}",
        ),
    ],
)
@pytest.mark.parametrize("combined", [True, False])
def test_a_trade_happens_shortly_before_its_event(
    apart: int, message: str | None, combined: bool
) -> None:
    event = AGG | {"E": TIME_MS + apart}
    if message is None:
        assert type(decoded(event, combined=combined)) is AggTrade
    else:
        with pytest.raises(FrameError, match=f"^{re.escape(message)}$"):
            decoded(event, combined=combined)


@pytest.mark.parametrize("combined", [True, False])
@pytest.mark.parametrize(
    ("fields", "coin"),
    [
        ({"st": 2}, True),
        ({"s": "BTCUSD_PERP"}, True),
        ({"s": "BTCUSD_261225"}, True),
        ({"s": "BTCUSD_PERP", "st": 1}, True),
        ({"s": "BTCUSDT_261225"}, False),
        ({"st": 1}, False),
        ({"st": 3}, False),
    ],
)
def test_contracts_of_coins_are_told_apart(
    fields: dict[str, Any], coin: bool, combined: bool
) -> None:
    event = decoded(AGG | fields, combined=combined)
    if coin:
        symbol = fields.get("s", "BTCUSDT")
        assert event == CoinMargined("a trade of a COIN-M contract", symbol)
    else:
        assert type(event) is AggTrade


@pytest.mark.parametrize("combined", [True, False])
def test_the_other_kind_of_trades_is_passed_over(combined: bool) -> None:
    other = Ignored("a trade event that is not aggTrade")
    assert decoded(TRADE, combined=combined) == other
    assert decoded(TRADE | {"X": "INSURANCE_FUND", "p": "0"}, combined=combined) == other
    agg = Ignored("a trade event that is not trade")
    assert decoded(AGG, "trade", combined) == agg


@pytest.mark.parametrize("combined", [True, False])
@pytest.mark.parametrize("price", ["0", "35000"])
def test_what_did_not_happen_on_the_market_takes_an_id(price: str, combined: bool) -> None:
    event = TRADE | {"X": "ADL", "p": price}
    assert decoded(event, "trade", combined) == OffMarket("a trade with X=ADL", "BTCUSDT", 34)


@pytest.mark.parametrize("wrong", [{"t": -1}, {"t": 2**53}, {"t": True}, {"t": "34"}, {"s": 5}])
def test_an_id_that_is_none_is_not_taken(wrong: dict[str, Any]) -> None:
    event = TRADE | {"X": "NA", "p": "0"} | wrong
    assert decoded(event, "trade", combined=False) == Ignored("a trade with X=NA")


@pytest.mark.parametrize("combined", [True, False])
@pytest.mark.parametrize("edge", [0, 2**53 - 1])
def test_an_id_at_the_edge_is_taken(edge: int, combined: bool) -> None:
    event = TRADE | {"X": "NA", "p": "0", "t": edge}
    assert decoded(event, "trade", combined) == OffMarket("a trade with X=NA", "BTCUSDT", edge)


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ({"e": "bookTicker", "s": "BTCUSDT"}, "a bookTicker event"),
        ({"result": None, "id": 1}, "an acknowledgement"),
        ({"error": {"code": 2}}, "an error from the exchange: {'error': {'code': 2}}"),
        ({"code": 2, "msg": "x"}, "an error from the exchange: {'code': 2, 'msg': 'x'}"),
    ],
)
def test_normal_frames_that_hold_no_trade(value: dict[str, Any], what: str) -> None:
    assert decoded(value, combined=False) == Ignored(what)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (b"", "the frame is not a JSON object"),
        (b"[1]", "the frame is not a JSON object"),
        (b"\xff\xfe", "the frame is not a JSON object"),
        (b"[" * 100_000, "the frame is not a JSON object"),
        (b'{"result": 1}', r"the frame has no event type \(field e\)"),
        (b'{"id": 1}', r"the frame has no event type \(field e\)"),
        (b'{"e": 5}', r"the frame has no event type \(field e\)"),
        (b'{"data": 5}', r"the frame has no event type \(field e\)"),
    ],
)
def test_malformed_frames_say_why(frame: bytes, message: str) -> None:
    with pytest.raises(FrameError, match=f"^{message}$"):
        FrameDecoder("aggTrade").decode(frame)


@pytest.mark.parametrize("combined", [True, False])
def test_a_trade_that_does_not_name_its_market_is_of_it(combined: bool) -> None:
    """So one that is malformed is told, and its id is not taken as that of no trade."""
    event = {key: value for key, value in TRADE.items() if key != "X"}
    assert isinstance(decoded(event, "trade", combined), MarketTrade)
    with pytest.raises(FrameError) as told:
        decoded(event | {"p": "0"}, "trade", combined)
    assert isinstance(told.value.__cause__, Exception)
