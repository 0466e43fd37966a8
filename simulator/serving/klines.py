"""Klines from trades, as the exchange writes them. Pure."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.source import Contract, TradeColumns, decimal_text
from spreadlake.binance.rest import KlineRow

Row = KlineRow[str, str]
Ints = NDArray[np.int64]
# As the exchange writes them: open, high, low, close; volume, quote, trades, the taker's two.
_Corners = tuple[str, str, str, str]
_Amounts = tuple[str, str, int, str, str]
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


@dataclass(frozen=True, slots=True)
class _Bars:
    """Bars in order of time, whole ticks and steps, so that sums are exact; int64 arrays."""

    at: Ints  # which kline of the answer
    opening: Ints
    high: Ints
    low: Ints
    closing: Ints
    amounts: Ints  # rows: steps, quote, trades, the taker's steps, the taker's quote

    def merged(self) -> "_Bars":
        """One bar for each kline that has any."""
        starts = np.flatnonzero(np.diff(self.at, prepend=-1))
        if not len(starts):
            return self
        ends = np.append(starts[1:], len(self.at)) - 1
        return _Bars(
            self.at[starts],
            self.opening[starts],
            np.maximum.reduceat(self.high, starts),
            np.minimum.reduceat(self.low, starts),
            self.closing[ends],
            np.add.reduceat(self.amounts, starts, axis=1),
        )


def klines(
    trades: Iterable[TradeColumns],
    contract: Contract,
    interval_ms: int,
    first_open_ms: int,
    count: int,
    previous_close: Callable[[], float | None],
) -> list[Row]:
    """`count` klines from `first_open_ms` on, from the `trades` of that time.

    They come in as many parts as they like, in order: no more than one part is held. A kline
    without a trade repeats the close before it, with zero volume; those before the first trade
    of all are left out (`previous_close`, asked for where the first kline has no trade, None:
    nothing was traded before).
    """
    parts = [_bars(part, contract, interval_ms, first_open_ms) for part in trades if len(part)]
    bars = _joined(parts).merged() if parts else None
    traded = {} if bars is None else _rows(bars, contract)
    close: str | None = None
    if count and 0 not in traded and (before := previous_close()) is not None:
        close = decimal_text(round(before * 10**contract.price_decimals), contract.price_decimals)
    nothing = next(_written(np.zeros((5, 1), np.int64), contract))
    rows: list[Row] = []
    for at in range(count):
        if at in traded:
            corners, amounts = traded[at]
        elif close is not None:
            corners, amounts = (close, close, close, close), nothing
        else:
            continue
        close = corners[3]
        open_ms = first_open_ms + at * interval_ms
        end_ms = open_ms + interval_ms - 1
        rows.append(KlineRow(open_ms, *corners, amounts[0], end_ms, *amounts[1:]))
    return rows


def _bars(trades: TradeColumns, contract: Contract, interval_ms: int, first_open_ms: int) -> _Bars:
    # A recording has them in order of id, which is not always that of their times.
    order = np.argsort(trades.times_ms, kind="stable")
    ticks = _units(trades.prices[order], contract.price_decimals)
    steps = _units(trades.qtys[order], contract.qty_decimals)
    taker_steps = np.where(trades.buyer_is_maker[order], 0, steps)
    quotes = (ticks * steps, ticks * taker_steps)
    amounts = np.stack([steps, quotes[0], np.ones_like(steps), taker_steps, quotes[1]])
    at = (trades.times_ms[order] - first_open_ms) // interval_ms
    return _Bars(at, ticks, ticks, ticks, ticks, amounts).merged()


def _joined(parts: list[_Bars]) -> _Bars:
    return _Bars(
        np.concatenate([bars.at for bars in parts]),
        np.concatenate([bars.opening for bars in parts]),
        np.concatenate([bars.high for bars in parts]),
        np.concatenate([bars.low for bars in parts]),
        np.concatenate([bars.closing for bars in parts]),
        np.concatenate([bars.amounts for bars in parts], axis=1),
    )


def _units(values: NDArray[np.float64], decimals: int) -> Ints:
    whole: Ints = np.rint(values * 10**decimals).astype(np.int64)
    return whole


def _rows(bars: _Bars, contract: Contract) -> dict[int, tuple[_Corners, _Amounts]]:
    """Each kline's open, high, low and close, and its amounts as they are written."""
    digits = contract.price_decimals
    corners = zip(
        *(_texts(part, digits) for part in (bars.opening, bars.high, bars.low, bars.closing)),
        strict=True,
    )
    rows = zip(corners, _written(bars.amounts, contract), strict=True)
    return dict(zip(bars.at.tolist(), rows, strict=True))


def _written(amounts: Ints, contract: Contract) -> Iterator[_Amounts]:
    steps, quote, trades, taker_steps, taker_quote = amounts
    quote_digits = contract.price_decimals + contract.qty_decimals
    return zip(
        _texts(steps, contract.qty_decimals),
        _texts(quote, quote_digits),
        trades.tolist(),
        _texts(taker_steps, contract.qty_decimals),
        _texts(taker_quote, quote_digits),
        strict=True,
    )


def _texts(units: Ints, decimals: int) -> list[str]:
    return [decimal_text(unit, decimals) for unit in units.tolist()]
