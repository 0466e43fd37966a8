"""Klines from trades, in the exchange's shape. Pure."""

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
    opens = first_open_ms + interval_ms * np.arange(count + 1)
    bounds = np.searchsorted(trades.times_ms, opens).tolist()
    close = previous_close
    rows: list[Kline] = []
    for index in range(count):
        cut = slice(bounds[index], bounds[index + 1])
        prices = trades.prices[cut]
        if len(prices) == 0 and close is None:
            continue
        if len(prices) == 0:
            prices = np.array([close])
        close = float(prices[-1])
        open_ms = int(opens[index])
        rows.append(_kline(open_ms, interval_ms, prices, _amounts(trades, cut), contract))
    return rows


def _amounts(trades: TradeColumns, cut: slice) -> tuple[NDArray[np.float64], ...]:
    """Quantity, price and whether the taker bought, of the trades in `cut`."""
    taker_bought = (~trades.buyer_is_maker[cut]).astype(np.float64)
    return trades.qtys[cut], trades.prices[cut], taker_bought


def _kline(
    open_ms: int,
    interval_ms: int,
    prices: NDArray[np.float64],
    amounts: tuple[NDArray[np.float64], ...],
    contract: Contract,
) -> Kline:
    qtys, paid, taker_bought = amounts
    price_digits, qty_digits = contract.price_decimals, contract.qty_decimals
    quote_digits = price_digits + qty_digits
    return [
        open_ms,
        *(_text(p, price_digits) for p in (prices[0], prices.max(), prices.min(), prices[-1])),
        _text(qtys.sum(), qty_digits),
        open_ms + interval_ms - 1,
        _text((qtys * paid).sum(), quote_digits),
        len(qtys),
        _text((qtys * taker_bought).sum(), qty_digits),
        _text((qtys * paid * taker_bought).sum(), quote_digits),
        "0",
    ]


def _text(value: float, decimals: int) -> str:
    return decimal_text(round(value * 10**decimals), decimals)
