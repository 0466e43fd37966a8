"""Trades → events as Binance sends them. Pure: no socket, no clock."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_MAKER = (b"false", b"true")


class TradeUnits(NamedTuple):
    """Trades in whole units, arrays of the same length.

    `ticks` and `steps` are prices and quantities in units of 10**-decimals.
    """

    ids: NDArray[np.int64]
    times_ms: NDArray[np.int64]
    ticks: NDArray[np.int64]
    steps: NDArray[np.int64]
    buyer_is_maker: NDArray[np.bool_]
    price_decimals: int
    qty_decimals: int


def combined_prefix(stream: str) -> bytes:
    """What stands before the event in a combined frame; a closing brace follows the event."""
    return b'{"stream":"%s","data":' % stream.encode()


def encode_events(
    kind: str, symbol: str, trades: TradeUnits, event_ms: NDArray[np.int64]
) -> list[bytes]:
    """The stream's event of each trade, in JSON.

    Each aggregate is one that took three trades, so that `f` and `l` follow on without a hole.
    """
    price, price_columns = _decimal(trades.ticks, trades.price_decimals)
    qty, qty_columns = _decimal(trades.steps, trades.qty_decimals)
    name = symbol.encode()
    if kind == "trade":
        template = (
            b'{"e":"trade","E":%%d,"T":%%d,"s":"%b","t":%%d,"p":"%b","q":"%b",'
            b'"X":"MARKET","m":%%b}' % (name, price, qty)
        )
        columns = [event_ms, trades.times_ms, trades.ids, *price_columns, *qty_columns]
    else:
        template = (
            b'{"e":"aggTrade","E":%%d,"s":"%b","a":%%d,"p":"%b","q":"%b","nq":"%b",'
            b'"f":%%d,"l":%%d,"T":%%d,"m":%%b}' % (name, price, qty, qty)
        )
        columns = [event_ms, trades.ids, *price_columns, *qty_columns, *qty_columns]
        columns += [3 * trades.ids, 3 * trades.ids + 2, trades.times_ms]
    return _fill(template, columns, trades.buyer_is_maker)


def encode_rest(trades: TradeUnits) -> list[bytes]:
    """The REST object of each aggregate trade, in JSON."""
    price, price_columns = _decimal(trades.ticks, trades.price_decimals)
    qty, qty_columns = _decimal(trades.steps, trades.qty_decimals)
    template = b'{"a":%%d,"p":"%b","q":"%b","nq":"%b","f":%%d,"l":%%d,"T":%%d,"m":%%b}' % (
        price,
        qty,
        qty,
    )
    columns = [trades.ids, *price_columns, *qty_columns, *qty_columns]
    columns += [3 * trades.ids, 3 * trades.ids + 2, trades.times_ms]
    return _fill(template, columns, trades.buyer_is_maker)


def _decimal(units: NDArray[np.int64], decimals: int) -> tuple[bytes, Sequence[NDArray[np.int64]]]:
    """A template of decimal text, and the columns that fill it."""
    if decimals == 0:
        return b"%d", [units]
    return b"%%d.%%0%dd" % decimals, np.divmod(units, 10**decimals)


def _fill(
    template: bytes, columns: Iterable[NDArray[np.int64]], buyer_is_maker: NDArray[np.bool_]
) -> list[bytes]:
    makers = [_MAKER[maker] for maker in buyer_is_maker.tolist()]
    rows = zip(*(column.tolist() for column in columns), makers, strict=True)
    return [template % row for row in rows]
