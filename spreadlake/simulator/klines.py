"""Klines from trades, in the exchange's shape. Pure."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from spreadlake.simulator.columns import TradeColumns
from spreadlake.simulator.instruments import Contract, decimal_text

__all__ = ["INTERVALS", "Kline", "klines"]

Kline = list[int | str]
_MINUTE = 60_000

INTERVALS = {
    f"{count}{unit}": count * milliseconds
    for unit, milliseconds, counts in (
        ("m", _MINUTE, (1, 3, 5, 15, 30)),
        ("h", 60 * _MINUTE, (1, 2, 4, 6, 8, 12)),
        ("d", 1440 * _MINUTE, (1,)),
    )
    for count in counts
}
"""Length of each interval that is served, in ms."""


def klines(
    trades: TradeColumns,
    contract: Contract,
    interval_ms: int,
    first_open_ms: int,
    count: int,
    previous_close: float | None,
) -> list[Kline]:
    """`count` klines from `first_open_ms` on, from the `trades` of that time.

    A kline without a trade repeats the close before it, with zero volume; those before the
    first trade of all are left out (`previous_close` None: nothing was traded before).
    """
    # In whole ticks and steps, so that the sums are exact.
    ticks = _units(trades.prices, contract.price_decimals)
    steps = _units(trades.qtys, contract.qty_decimals)
    taker_steps = np.where(trades.buyer_is_maker, 0, steps)
    opens = first_open_ms + interval_ms * np.arange(count + 1)
    bounds = np.searchsorted(trades.times_ms, opens).tolist()
    rows: list[Kline] = []
    for open_ms, (start, end) in zip(opens.tolist(), pairwise(bounds), strict=False):
        prices = ticks[start:end]
        if start == end and start:
            prices = ticks[start - 1 : start]
        elif start == end and previous_close is not None:
            prices = _units(np.array([previous_close]), contract.price_decimals)
        if len(prices):
            cut = slice(start, end)
            amounts = (ticks[cut], steps[cut], taker_steps[cut])
            rows.append(_kline(open_ms, interval_ms, prices, amounts, contract))
    return rows


def _units(values: NDArray[np.float64], decimals: int) -> NDArray[np.int64]:
    whole: NDArray[np.int64] = np.rint(values * 10**decimals).astype(np.int64)
    return whole


def _kline(
    open_ms: int,
    interval_ms: int,
    prices: NDArray[np.int64],
    amounts: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
    contract: Contract,
) -> Kline:
    ticks, steps, taker_steps = amounts
    price_digits, qty_digits = contract.price_decimals, contract.qty_decimals
    quote_digits = price_digits + qty_digits
    corners = (prices[0], prices.max(), prices.min(), prices[-1])
    return [
        open_ms,
        *(decimal_text(int(corner), price_digits) for corner in corners),
        decimal_text(int(steps.sum()), qty_digits),
        open_ms + interval_ms - 1,
        decimal_text(int((ticks * steps).sum()), quote_digits),
        len(ticks),
        decimal_text(int(taker_steps.sum()), qty_digits),
        decimal_text(int((ticks * taker_steps).sum()), quote_digits),
        "0",
    ]
