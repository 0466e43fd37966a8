"""Funding rates of the synthetic market: pure functions of the symbol and the time. Pure."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from simulator.source import FundingRecord
from simulator.synthetic.instruments import is_known
from simulator.synthetic.model import MarketModel
from simulator.synthetic.noise import key_of, normal, uniform

_HOUR_MS = 3_600_000
# Hours between two fundings, by a number that follows from the symbol; those that are known by
# name have 8, as the large contracts do.
_HOURS = (8, 8, 8, 8, 8, 4, 4, 4, 4, 1)
# The exchange dates a funding a few ms after its full hour.
_LATEST_MS = 16
_RATE, _SPREAD = 1e-4, 0.5e-4  # of 8 hours
_KEPT = 10_000


class FundingModel:
    """The rates of a market; the same for the same seed, whenever they are asked for."""

    def __init__(self, seed: int, model: MarketModel) -> None:
        self._seed = seed
        self._model = model
        self._record = lru_cache(_KEPT)(self._make)

    def interval_ms(self, symbol: str) -> int:
        """Time between two fundings of a symbol."""
        hours = 8 if is_known(symbol) else _HOURS[key_of("funding", symbol) % len(_HOURS)]
        return hours * _HOUR_MS

    def records(self, symbol: str, start_ms: int, end_ms: int) -> Iterator[FundingRecord]:
        """Those of [start_ms, end_ms), in order of time."""
        interval = self.interval_ms(symbol)
        for number in range(max(1, start_ms // interval), -(-end_ms // interval)):
            record = self._record(symbol, number)
            if start_ms <= record.time_ms < end_ms:
                yield record

    def _make(self, symbol: str, number: int) -> FundingRecord:
        interval, cell = self.interval_ms(symbol), np.array([number])
        key = key_of(self._seed, symbol, "funding")
        time_ms = number * interval + int(uniform(key_of(key, "late"), cell)[0] * _LATEST_MS)
        share = interval / (8 * _HOUR_MS)
        rate = share * (_RATE + _SPREAD * float(normal(key, cell)[0]))
        price = self._model.mark_price(symbol, number * interval // 1000)
        return FundingRecord(symbol, time_ms, f"{rate:.8f}", f"{price:.8f}")
