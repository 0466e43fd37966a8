"""Trades with a quantity of 0: no trades, but their ids are taken, and no gap."""

import json
from pathlib import Path
from typing import Any

import pytest

from collector.storage.batch import Batch
from collector.storage.store import TickStore
from spreadlake.binance.decode import FrameDecoder
from spreadlake.lake import Lake, open_ticks_writer
from spreadlake.trades import FrameError, Ignored, OffMarket, TradeEvent

TIME_MS = 1_700_000_000_000


def frame(trade_id: int, combined: bool = False, **fields: Any) -> bytes:
    event = {"e": "aggTrade", "E": TIME_MS + 1, "s": "BTCUSDT", "a": trade_id, "p": "100.5"}
    event |= {"q": "0.01", "f": 1, "l": 2, "T": TIME_MS + trade_id, "m": True, **fields}
    return json.dumps({"stream": "btcusdt@aggTrade", "data": event} if combined else event).encode()


@pytest.mark.parametrize("combined", [True, False])
@pytest.mark.parametrize("quantity", ["0", "0.0", "0.000", 0, 0.0, "-0"])
def test_the_id_is_taken_and_nothing_else(quantity: object, combined: bool) -> None:
    event = FrameDecoder("aggTrade").decode(frame(7, combined, q=quantity))
    assert event == OffMarket("a trade without a quantity", "BTCUSDT", 7)


@pytest.mark.parametrize(
    "fields",
    [{"q": "-1"}, {"q": "nan"}, {"q": ""}, {"q": None}, {"q": "0", "p": "-1"}, {"q": "0", "T": 0},
     {"q": "0", "a": -1}, {"q": "0", "m": "perhaps"}, {"q": [0]}],
)  # fmt: skip
def test_what_is_wrong_otherwise_is_malformed(fields: dict[str, Any]) -> None:
    with pytest.raises(FrameError):
        FrameDecoder("aggTrade").decode(frame(7, **fields))


def test_another_kind_is_passed_over() -> None:
    event = FrameDecoder("trade").decode(frame(7, q="0"))
    assert type(event) is Ignored


def test_the_store_opens_no_gap_for_it(tmp_path: Path) -> None:
    db = open_ticks_writer(Lake(tmp_path))
    store, decode = TickStore(db, ["BTCUSDT"]), FrameDecoder("aggTrade").decode
    frames = [frame(n, q="0" if n % 2 else "0.01") for n in range(2, 9)]
    events = [event for one in frames if isinstance(event := decode(one), TradeEvent | OffMarket)]
    store.write(Batch(events))
    assert db.execute("SELECT trade_id FROM ticks").fetchall() == [(2,), (4,), (6,), (8,)]
    assert db.execute("SELECT * FROM gaps").fetchall() == []
    db.close()
