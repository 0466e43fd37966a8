"""What the simulated exchange lists of its contracts: kind, asset, dates, 24 h volumes. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from simulator.serving.statuses import Statuses
from simulator.source import Contract, Source
from spreadlake.binance.listings import NO_DELIVERY_MS, PERPETUAL
from spreadlake.errors import InputError

_DAY_MS = 86_400_000
_ASSETS = ("USDT", "USDC")
# When a contract began that was told no other date: each a day after the one before it.
_FIRST_LISTED_MS = 1_569_398_400_000


@dataclass(frozen=True)
class Facts:
    """What is listed of a contract beside what it trades.

    `quote` None is the asset that its name ends with; `onboard_ms` None a date long ago.
    `delivery_ms` None: its end is not announced. `quote_volume` None: what it trades in a day.
    Of one that is not `listed` the exchange knows nothing.
    """

    contract: str = PERPETUAL
    quote: str | None = None
    underlying: str = "COIN"
    onboard_ms: int | None = None
    delivery_ms: int | None = None
    quote_volume: float | None = None
    listed: bool = True


class Listing:
    """The contracts of `source`, with the facts of some given."""

    def __init__(self, source: Source, statuses: Statuses, given: Mapping[str, Facts]) -> None:
        self._source = source
        self._statuses = statuses
        self._facts = dict(given)

    def of(self, symbol: str) -> Facts:
        """The facts of one contract."""
        return self._facts.get(symbol, Facts())

    def change(self, symbol: str, **changes: Any) -> None:
        """Changes facts of one contract, by the names of the fields of `Facts`."""
        if symbol not in self._source.instruments:
            raise InputError(f"the simulated exchange has no symbol {symbol!r}")
        self._facts[symbol] = replace(self.of(symbol), **changes)

    def is_listed(self, symbol: str) -> bool:
        """Whether the exchange knows of it now."""
        return symbol in self._source.instruments and self.of(symbol).listed

    @property
    def unlisted(self) -> frozenset[str]:
        """Those of which the exchange knows nothing now."""
        return frozenset(symbol for symbol, facts in self._facts.items() if not facts.listed)

    def rows(self) -> list[dict[str, Any]]:
        """The contracts as the exchange lists them."""
        return [
            _row(contract, self.of(symbol), self._statuses.of(symbol), at)
            for at, (symbol, contract) in enumerate(self._source.instruments.items())
            if self.of(symbol).listed
        ]

    def tickers(self, now_ms: int) -> Iterator[dict[str, Any]]:
        """The last 24 hours of every contract that trades, or has."""
        for symbol in self._source.instruments:
            if self.of(symbol).listed and self._statuses.shown_until(symbol, now_ms):
                yield self.ticker(symbol, now_ms)

    def ticker(self, symbol: str, now_ms: int) -> dict[str, Any]:
        """The last 24 hours of one contract."""
        facts = self.of(symbol)
        volume = facts.quote_volume
        if volume is None:
            volume = self._source.day_volume(symbol, now_ms)
        return {
            "symbol": symbol,
            "quoteVolume": f"{volume:.2f}",
            "openTime": now_ms - _DAY_MS,
            "closeTime": now_ms,
        }


def _row(contract: Contract, facts: Facts, status: str, at: int) -> dict[str, Any]:
    ends_with = (asset for asset in _ASSETS if contract.symbol.endswith(asset))
    quote = facts.quote or next(ends_with, _ASSETS[0])
    listed_ms = facts.onboard_ms
    return {
        "symbol": contract.symbol,
        "pair": contract.symbol,
        "contractType": facts.contract,
        "deliveryDate": facts.delivery_ms or NO_DELIVERY_MS,
        "onboardDate": _FIRST_LISTED_MS + at * _DAY_MS if listed_ms is None else listed_ms,
        "status": status,
        "baseAsset": contract.symbol.removesuffix(quote),
        "quoteAsset": quote,
        "marginAsset": quote,
        "pricePrecision": contract.price_decimals,
        "quantityPrecision": contract.qty_decimals,
        "underlyingType": facts.underlying,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": contract.tick_size,
                "maxPrice": "10000000",
                "tickSize": contract.tick_size,
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": contract.step_size,
                "maxQty": "100000000",
                "stepSize": contract.step_size,
            },
        ],
    }
