"""An entry holds a batch as it was; shares hold every symbol once."""

import math
from collections import Counter
from contextlib import suppress
from itertools import chain
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.broker.entry import MOST_TRADES, EntryError, decoded, encoded, merged
from collector.broker.shards import Shard, parse_shard
from collector.storage.batch import Batch
from spreadlake.binance.decode import AggTrade
from spreadlake.errors import InputError
from spreadlake.trades import TICK_COLUMNS, OffMarket, TradeEvent

ids = st.integers(0, 2**53 - 1)
numbers = st.floats(0, 1e15, exclude_min=True)
trades = st.builds(
    TradeEvent,
    st.text(min_size=1, max_size=8),
    ids,
    ids,
    numbers,
    numbers,
    st.booleans(),
    st.none() | ids,
    st.none() | ids,
    st.none() | numbers,
    st.none() | ids,
    st.none() | ids,
)
passed = st.builds(lambda s, i: OffMarket("", s, i), st.text(min_size=1, max_size=8), ids)


def through(batch: Batch) -> Batch:
    (whole,) = merged([decoded(data) for data, _, _ in encoded(batch)])
    return whole


@settings(max_examples=30)
@given(
    st.lists(trades | passed, max_size=30),
    st.dictionaries(st.text(max_size=5), st.integers(1, 9), max_size=3),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
    st.sampled_from(["live", "repair"]),
)
def test_a_batch_comes_out_as_it_went_in(events, counts, interrupted, source) -> None:  # type: ignore[no-untyped-def]
    batch = through(Batch(events, Counter(counts), interrupted, source))
    real = [event for event in events if isinstance(event, TradeEvent)]
    others = [(event.symbol, event.trade_id) for event in events if isinstance(event, OffMarket)]
    assert batch.events[: len(real)] == real
    assert [(e.symbol, e.trade_id) for e in batch.events[len(real) :]] == others
    assert (batch.counts, batch.interrupted, batch.source) == (counts, interrupted, source)


def test_many_trades_are_several_entries_whose_counters_count_once() -> None:
    events = [AggTrade("BTCUSDT", i, i, 1.0, 1.0, True) for i in range(2 * MOST_TRADES + 1)]
    entries = list(encoded(Batch(events, Counter(frames=7), {"BTCUSDT": "reconnect"})))
    assert [number for _, number, _ in entries] == [MOST_TRADES, MOST_TRADES, 1]
    (whole,) = merged([decoded(data) for data, _, _ in entries])
    assert [event.trade_id for event in whole.events] == list(range(2 * MOST_TRADES + 1))
    assert whole.counts == {"frames": 7}
    assert len(TICK_COLUMNS) <= len(TradeEvent.__struct_fields__)


LATER_VERSION = b"\x97\x02\xa4live\x90\x90\x90\x80\x80"


NO_TEXT = b"\x97\x01\xa4live\x91\xa2\xff\xd0\x90\x90\x80\x80"
WITHOUT_END = b"\x93" * 20_000


@pytest.mark.parametrize(
    "data",
    [
        b"", b"nonsense", b"\x90", b"\x05", b"\x91\x01", LATER_VERSION, NO_TEXT, WITHOUT_END,
        LATER_VERSION[:3] + NO_TEXT[3:], b"\x97\x02" + WITHOUT_END,
    ],
)  # fmt: skip
def test_what_is_no_entry_is_told(data: bytes) -> None:
    with pytest.raises(EntryError):
        decoded(data)


def test_an_entry_of_a_version_to_come_is_told_as_such() -> None:
    with pytest.raises(EntryError, match="of version 2, and this spreadlake knows 1"):
        decoded(msgspec.msgpack.encode([2, "whatever", {"is": "in it"}]))


@given(st.binary(max_size=200))
def test_no_bytes_are_more_than_no_entry(data: bytes) -> None:
    """One that raised anything else would end every store that reads the log."""
    for whole in (data, LATER_VERSION[:8].replace(b"\x02", b"\x01") + data):
        with suppress(EntryError):
            decoded(whole)


RIGHT: list[Any] = [
    [0],
    [7],
    [1_700_000_000_000],
    [1.5],
    [2.0],
    [True],
    *([None] for _ in range(5)),
]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (0, 1), (0, -1), (0, "A"), (1, 2**63), (1, -1), (1, 1.5), (2, "now"), (3, math.nan),
        (3, math.inf), (3, -1.0), (3, "1.5"), (4, None), (5, 1), (6, "x"), (8, math.nan),
        (9, 2**64 - 1),
    ],
)  # fmt: skip
def test_what_no_lake_could_store_is_no_entry(column: int, value: object) -> None:
    """It would be tried again and again, and hold up all that comes after it."""
    columns = [list(values) for values in RIGHT]
    assert len(columns) == len(TradeEvent.__struct_fields__)
    assert len(decoded(entry_of(columns)).events) == 1
    columns[column] = [value]
    with pytest.raises(EntryError):
        decoded(entry_of(columns))


def test_columns_of_another_length_or_number_are_no_entry() -> None:
    for columns in ([*RIGHT[:-1]], [*RIGHT, [1]], [[0, 0], *RIGHT[1:]], "columns", [5]):
        with pytest.raises(EntryError):
            decoded(entry_of(columns))


def entry_of(columns: object) -> bytes:
    return msgspec.msgpack.encode([1, "live", ["BTCUSDT"], columns, [], {}, {}])


def test_neighbours_of_one_source_become_one_batch() -> None:
    kinds = ["live", "live", "repair", "live"]
    batches = [Batch([], Counter(n=1), {}, kind) for kind in kinds]  # type: ignore[arg-type]
    assert [(b.source, b.counts["n"]) for b in merged(batches)] == [
        ("live", 2),
        ("repair", 1),
        ("live", 1),
    ]


@given(st.lists(st.text(min_size=1, max_size=6), unique=True), st.integers(1, 9))
def test_shares_hold_every_symbol_once(symbols: list[str], of: int) -> None:
    shards = [Shard(number, of) for number in range(1, of + 1)]
    for share in (Shard.of_named, Shard.of_chosen):
        assert Counter(chain(*(share(s, symbols) for s in shards))) == Counter(symbols)
    more = [*symbols, "one more at the end"]
    for shard in shards:
        assert set(shard.of_named(symbols)) <= set(shard.of_named(more))
        assert set(shard.of_chosen(symbols)) <= set(shard.of_chosen(more))


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "a/b", "1/0", "1/2/3", "-1/2", "1/99999"])
def test_a_share_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is no share of the symbols"):
        parse_shard(text)


def test_a_share_is_read() -> None:
    assert parse_shard("2/3") == Shard(2, 3)
    assert str(Shard(2, 3)) == "2/3"
