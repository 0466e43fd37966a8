"""An entry of the log: a batch of trades as columns, in MessagePack. Pure.

One entry a batch and not one a trade: what Redis, the network and the store pay is by the entry.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Literal

import msgspec
from msgspec.structs import astuple

from collector.storage.batch import Batch
from spreadlake.trades import OffMarket, TradeEvent

_VERSION = 1
_FIELDS = len(TradeEvent.__struct_fields__)
# What is dropped, or stored anew after a failure, goes by the entry.
MOST_TRADES = 5_000


class _Entry(msgspec.Struct, array_like=True):
    """`columns` are the fields of the trades in their order, symbols by their place in `symbols`.

    `passed` are symbols and ids of events that are no trades.
    """

    version: int
    source: Literal["live", "repair", "history"]
    symbols: list[str]
    columns: list[list[Any]]
    passed: list[tuple[str, int]]
    counts: dict[str, int]
    interrupted: dict[str, str]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Entry)


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
        entry = _Entry(_VERSION, batch.source, symbols, columns, passed, counts, interrupted)
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
    except msgspec.MsgspecError as error:
        raise EntryError(str(error)) from None
    if entry.version != _VERSION:
        raise EntryError(f"it is of version {entry.version}, and this spreadlake knows {_VERSION}")
    try:
        events: list[TradeEvent | OffMarket] = [*_trades(entry)]
    except (IndexError, TypeError, ValueError) as error:
        raise EntryError(f"its columns do not fit: {error}") from None
    events += (OffMarket("", symbol, trade_id) for symbol, trade_id in entry.passed)
    return Batch(events, Counter(entry.counts), entry.interrupted, entry.source)


def _trades(entry: _Entry) -> Iterator[TradeEvent]:
    if not entry.columns:
        return iter(())
    if len({len(column) for column in entry.columns}) != 1 or len(entry.columns) != _FIELDS:
        raise EntryError("its columns are not of one length")
    symbols, rest = map(entry.symbols.__getitem__, entry.columns[0]), entry.columns[1:]
    return map(TradeEvent, symbols, *rest)


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
