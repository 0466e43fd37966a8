"""What each symbol of the synthetic market is like: price, tick, step, rate and exposures."""

from dataclasses import dataclass

from simulator.source import Contract
from simulator.synthetic.noise import key_of


@dataclass(frozen=True)
class Instrument(Contract):
    """A contract of the synthetic market.

    `price` is its level; `rate` is trades a second; `market`, `altcoins` and `own` scale how
    the log-price follows the common path, a second path that only the smaller coins share, and
    noise of its own.
    """

    price: float
    rate: float
    market: float
    altcoins: float = 0.0
    own: float = 1.0


KNOWN = {
    known.symbol: known
    for known in (
        Instrument("BTCUSDT", 1, 3, 101_250.0, 15.0, 0.80),
        Instrument("ETHUSDT", 2, 3, 3_480.0, 12.0, 1.05),
        Instrument("SOLUSDT", 2, 2, 205.0, 9.0, 1.30),
        Instrument("BNBUSDT", 2, 2, 945.0, 6.0, 0.85, 0.2),
        Instrument("XRPUSDT", 4, 1, 2.35, 8.0, 1.15, 0.5),
        Instrument("DOGEUSDT", 5, 0, 0.182, 7.0, 1.35, 0.6),
        Instrument("1000PEPEUSDT", 7, 0, 0.0063, 5.0, 1.55, 0.8),
        Instrument("ADAUSDT", 4, 0, 0.58, 5.0, 1.20, 0.6),
        Instrument("LINKUSDT", 3, 2, 16.4, 5.0, 1.25, 0.6),
        Instrument("LTCUSDT", 2, 3, 98.5, 5.0, 1.05, 0.5),
    )
}


def instrument(symbol: str) -> Instrument:
    """The known contract of that name, or a plausible one derived from the name."""
    return KNOWN.get(symbol) or _plausible(symbol)


def is_known(symbol: str) -> bool:
    """Whether it is one of the large contracts that are described by name."""
    return symbol in KNOWN


def _plausible(symbol: str) -> Instrument:
    digits = key_of("instrument", symbol)
    magnitude = digits % 6 - 3
    mantissa = 1.0 + (digits >> 8) % 900 / 100.0
    return Instrument(
        symbol,
        price_decimals=max(0, 4 - magnitude),
        qty_decimals=max(0, min(3, magnitude + 1)),
        price=mantissa * 10.0**magnitude,
        rate=5.0 + (digits >> 24) % 4,
        market=0.9 + (digits >> 32) % 60 / 100.0,
        altcoins=0.3 + (digits >> 40) % 60 / 100.0,
    )
