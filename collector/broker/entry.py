"""An entry of the log: a batch of trades as columns, in MessagePack. Pure.

One entry a batch and not one a trade: what Redis, the network and the store pay is by the entry.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from msgspec.structs import astuple

from collector.storage.batch import Batch
from spreadlake.decoding import UNREADABLE
from spreadlake.trades import OffMarket, TradeEvent

_VERSION = 1
_FIELDS = len(TradeEvent.__struct_fields__)
# What is dropped, or stored anew after a failure, goes by the entry.
MOST_TRADES = 5_000

# Anybody may have written an entry: what no lake could store is not let in. NaN and infinity fail
# the comparison.
_Code = Annotated[int, Meta(ge=0)]
_Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_Amount = Annotated[float, Meta(ge=0, lt=1e300)]
_Columns = tuple[
    list[_Code],
    list[_Id],
    list[_Id],
    list[_Amount],
    list[_Amount],
    list[bool],
    list[_Id | None],
    list[_Id | None],
    list[_Amount | None],
    list[_Id | None],
    list[_Id | None],
]
_NONE = b"\x90"


class _Entry(msgspec.Struct, array_like=True):
    """`columns` are the fields of the trades in their order, symbols by their place in `symbols`.

    `passed` are symbols and ids of events that are no trades.
    """

    version: int
    source: Literal["live", "repair", "history"]
    symbols: list[str]
    columns: msgspec.Raw
    passed: list[tuple[str, _Id]]
    counts: dict[str, _Id]
    interrupted: dict[str, str]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Entry)
_columns_decoder = msgspec.msgpack.Decoder(_Columns)


class EntryError(ValueError):
    """What is in the log is no entry of ours; the message says why."""


def encoded(batch: Batch) -> Iterator[tuple[bytes, int, list[str]]]:
    """Entries of at most MOST_TRADES events: their bytes, how many events, and whose they are."""
    parts = range(0, len(batch.events), MOST_TRADES) or (0,)
    counts, interrupted = dict(batch.counts), batch.interrupted
    for start in parts:
        events = batch.events[start : start + MOST_TRADES]
        passed = [(e.symbol, e.trade_id) for e in events if isinstance(e, OffMarket)]
        trades = [e for e in events if not isinstance(e, OffMarket)] if passed else events
        symbols, columns = _columns(trades)
        raw = msgspec.Raw(_encoder.encode(columns))
        entry = _Entry(_VERSION, batch.source, symbols, raw, passed, counts, interrupted)
        names = list(dict.fromkeys([*symbols, *(symbol for symbol, _ in passed)]))
        yield _encoder.encode(entry), len(events), names
        counts, interrupted = {}, {}


def _columns(trades: Sequence[Any]) -> tuple[list[str], list[list[Any]]]:
    if not trades:
        return [], []
    # As the store does: slices of one flat list are several times as fast as rows turned by zip.
    flat = list(chain.from_iterable(map(astuple, trades)))
    width = len(flat) // len(trades)
    columns = [flat[field::width] for field in range(_FIELDS)]
    symbols = list(dict.fromkeys(columns[0]))
    codes = {symbol: code for code, symbol in enumerate(symbols)}
    columns[0] = [codes[symbol] for symbol in columns[0]]
    return symbols, columns


def decoded(data: bytes) -> Batch:
    """The batch of an entry; EntryError where it is none."""
    try:
        entry = _decoder.decode(data)
        events: list[TradeEvent | OffMarket] = [*_trades(entry)]
    except IndexError:
        raise EntryError("a trade is of a symbol that it does not name") from None
    except UNREADABLE as error:
        raise EntryError(_why(data, str(error))) from None
    events += (OffMarket("", symbol, trade_id) for symbol, trade_id in entry.passed)
    return Batch(events, Counter(entry.counts), entry.interrupted, entry.source)


def _why(data: bytes, reason: str) -> str:
    """Of another version nothing else may be as it is here."""
    try:
        version = msgspec.msgpack.decode(data, type=list[Any])[0]
    except (*UNREADABLE, IndexError):
        return reason
    if version == _VERSION:
        return reason
    return f"it is of version {version!r}, and this spreadlake knows {_VERSION}"


def _trades(entry: _Entry) -> Iterator[TradeEvent]:
    if entry.version != _VERSION:
        raise msgspec.ValidationError("another version")
    if bytes(entry.columns) == _NONE:
        return iter(())
    columns = _columns_decoder.decode(entry.columns)
    if len(set(map(len, columns))) != 1:
        raise EntryError("its columns are not of one length")
    return map(TradeEvent, map(entry.symbols.__getitem__, columns[0]), *columns[1:])


def merged(batches: Sequence[Batch]) -> list[Batch]:
    """The same trades in as few batches: neighbours of one source become one."""
    whole: list[Batch] = []
    for batch in batches:
        if whole and whole[-1].source == batch.source:
            last = whole[-1]
            whole[-1] = Batch(
                [*last.events, *batch.events],
                last.counts + batch.counts,
                last.interrupted | batch.interrupted,
                batch.source,
            )
        else:
            whole.append(batch)
    return whole
