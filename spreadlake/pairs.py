"""Symbols and pairs: how they are written, and what counts as one."""

import re
from typing import Literal, NamedTuple

from spreadlake.errors import InputError

# Binance lists symbols such as 1000PEPEUSDT, BTCUSDT_261225 and names in Chinese letters.
_SYMBOL = re.compile(r"\w{1,40}")
# Quoted in plain USD, and with what ends it: BTCUSD_PERP, BTCUSD_261225.
_COIN_MARGINED = re.compile(r"\w+USD_(?:PERP|\d{6})")


class Pair(NamedTuple):
    """Leg A is regressed on leg B: spread = A − beta·B."""

    a: str
    b: str

    @property
    def name(self) -> str:
        """The pair as the lake and the metrics write it, e.g. `BTCUSDT/ETHUSDT`."""
        return f"{self.a}/{self.b}"

    @property
    def turned(self) -> "Pair":
        """The same two the other way round."""
        return Pair(self.b, self.a)


Source = Literal["configuration", "hand", "screen"]


class FollowedPair(NamedTuple):
    """A pair whose analytics are kept up to date: who asked for it, since when, and why.

    `since` is in Unix seconds, None where it is not known.
    """

    pair: Pair
    source: Source
    since: int | None = None
    why: str = ""


def check_symbol(symbol: str) -> str:
    """The symbol itself; ValueError says what is wrong with it, and how it may be written."""
    meant = re.sub(r"\W", "", symbol).upper()
    if not _SYMBOL.fullmatch(symbol):
        hint = f"; did you mean {meant}?" if _SYMBOL.fullmatch(meant) else ", e.g. BTCUSDT"
        raise ValueError(f"{symbol!r} is not a symbol; write it as the exchange does{hint}")
    if symbol != symbol.upper():
        raise ValueError(f"symbol {symbol!r} must be in upper case: {meant}")
    return symbol


def is_coin_margined(symbol: str) -> bool:
    """Whether a symbol has the form of Binance's COIN-M contracts: their quantities are contracts.

    Those of USDⓈ-M are quoted in a stablecoin: BTCUSDT, BTCUSDT_261225.
    """
    return _COIN_MARGINED.fullmatch(symbol) is not None


def parse_pair(text: str) -> Pair:
    """`BTCUSDT/ETHUSDT` → Pair; InputError for anything else."""
    legs = text.split("/")
    if len(legs) != 2:
        raise InputError(f"pair {text!r} is not two symbols with a / between, e.g. BTCUSDT/ETHUSDT")
    try:
        pair = Pair(check_symbol(legs[0]), check_symbol(legs[1]))
    except ValueError as error:
        raise InputError(f"pair {text!r}: {error}") from None
    if pair.a == pair.b:
        raise InputError(f"pair {text!r} needs two different symbols")
    return pair
