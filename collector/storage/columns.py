"""The events of a batch as columns, made once for all who look at them. Pure."""

from collections.abc import Mapping, Sequence
from itertools import chain, repeat
from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import astuple
from numpy.typing import NDArray

from spreadlake.trades import OffMarket, TradeEvent

Ints = NDArray[np.int64]
Row = tuple[Any, ...]
_FIELDS = len(TradeEvent.__struct_fields__)


class Columns(NamedTuple):
    """One entry an event: symbols by their code, times in ms.

    What is no trade has its symbol, its id, and else zeros. `told_ms` is the exchange's event time,
    the trade's own where there is none; `received_ms` is 0 where it is not known. `digests` are the
    same for trades that are the same: one process's own 64 bits.
    """

    symbols: Sequence[str]
    prices: Sequence[float]
    codes: Ints
    ids: Ints
    times_ms: Ints
    told_ms: Ints
    received_ms: Ints
    digests: Ints
    trades: NDArray[np.bool_]


def columns_of(events: Sequence[TradeEvent | OffMarket], codes: Mapping[str, int]) -> Columns:
    """The columns of `events`; `codes` are those of the symbols, and -1 of any other."""
    kinds = set(map(type, events))
    # Slices of one flat list are several times as fast as rows turned by zip; and thousands of rows
    # that are held would keep the garbage collector busy.
    if len(kinds) == 1 and OffMarket not in kinds:
        flat = list(chain.from_iterable(map(astuple, events)))
        width = len(flat) // len(events)
        trades = np.ones(len(events), np.bool_)
    else:
        flat, width = list(chain.from_iterable(map(_row, events))), _FIELDS
        trades = np.fromiter((type(e) is not OffMarket for e in events), np.bool_, len(events))
    symbols, ids, times, prices, qtys, _, firsts, lasts, _, received, told = (
        flat[field::width] for field in range(_FIELDS)
    )
    times_ms = np.array(times, np.int64)
    told_ms = _known(told)
    values = zip(times, prices, qtys, firsts, lasts, strict=True)
    digests = np.fromiter(map(hash, values), np.int64, len(events))
    return Columns(
        symbols,
        prices,
        np.fromiter(map(codes.get, symbols, repeat(-1)), np.int64, len(events)),
        np.array(ids, np.int64),
        times_ms,
        np.where(told_ms == 0, times_ms, told_ms),
        _known(received),
        np.where(trades, digests, 0),
        trades,
    )


def _row(event: TradeEvent | OffMarket) -> Row:
    if isinstance(event, OffMarket):
        nothing = TradeEvent(event.symbol, event.trade_id, 0, 0.0, 0.0, False)
        nothing.received_ms = event.received_ms
        event = nothing
    return astuple(event)[:_FIELDS]


def _known(times_ms: Sequence[int | None]) -> Ints:
    return np.array([time_ms or 0 for time_ms in times_ms], np.int64)
