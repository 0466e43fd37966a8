"""The clock after a batch, and the newest time and price of each symbol in it. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from collector.storage.columns import Columns
from collector.storage.id_tracker import Plan
from spreadlake.trade_clock import TradeClock


class Last(NamedTuple):
    """Of one symbol: the greatest trade time (ms) that the clock follows, the newest price."""

    time_ms: int
    price: float


class Newest(NamedTuple):
    """What a batch makes of the clock, and of the symbols (by code) that it holds trades of."""

    clock: TradeClock
    lasts: dict[int, Last]


def newest_after(
    clock: TradeClock, known: Mapping[int, Last], columns: Columns, plan: Plan
) -> Newest:
    """After the new trades of `plan` among those of a batch; `clock` and `known` stay as they are.

    Symbols before their first trade are left out.
    """
    keep, prices = plan.keep, columns.prices
    times = columns.times_ms[keep]
    clock, lasts, begin = clock.copy(), dict[int, Last](), 0
    clock.take(times, lambda at: columns.symbols[keep[at]])
    parts = [part for part in plan.symbols if part.fresh or part.code in known]
    sizes = np.array([part.fresh for part in parts], np.int64)
    before = [known.get(part.code) for part in parts]
    held = np.array([last.time_ms if last else -1 for last in before], np.int64)
    greatest = clock.greatest(times, sizes, held).tolist()
    for part, last, time_ms in zip(parts, before, greatest, strict=True):
        price = last.price if last else prices[keep[begin]]
        if part.latest is not None and columns.trades[part.latest]:
            price = prices[part.latest]
        lasts[part.code] = Last(time_ms, price)
        begin += part.fresh
    return Newest(clock, lasts)
