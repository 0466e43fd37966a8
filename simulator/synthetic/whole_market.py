"""A synthetic market of many symbols: their names, and how often each of them trades. Pure."""

from collections.abc import Sequence

from simulator.synthetic.instruments import KNOWN

LEAST_RATE = 0.2
"""Trades a second of a small coin."""
_EXPONENT = 0.8


def market_symbols(count: int) -> list[str]:
    """`count` symbols: those that are known, then SIM011USDT, SIM012USDT and so on."""
    known = list(KNOWN)
    return [*known, *(f"SIM{n:03d}USDT" for n in range(len(known) + 1, count + 1))][:count]


def market_rates(symbols: Sequence[str], total: float) -> dict[str, float]:
    """Trades a second of each, about `total` together: the first most, as on a real market.

    They fall as a power of the place, down to `LEAST_RATE`.
    """
    shares = [(place + 2) ** -_EXPONENT for place in range(len(symbols))]
    low, high = 0.0, max(total, LEAST_RATE) / min(shares, default=1.0)
    for _ in range(50):  # halves the error each time
        factor = (low + high) / 2
        enough = sum(max(LEAST_RATE, factor * share) for share in shares) >= total
        low, high = (low, factor) if enough else (factor, high)
    return {
        symbol: max(LEAST_RATE, high * share) for symbol, share in zip(symbols, shares, strict=True)
    }
