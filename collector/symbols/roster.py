"""The symbols that are captured, and how each of them stands at the exchange. Pure.

Source: Binance open platform, USDⓈ-M futures, "Public endpoints info", contract status.
"""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from enum import Enum

# Any other status passes, or is one that the exchange has yet to invent.
_OVER = frozenset({"DELIVERING", "DELIVERED", "SETTLING", "CLOSE"})
_NEAREST = 3


class Standing(Enum):
    """Whether a symbol trades, may trade (again), never will any more, or was never heard of."""

    TRADES = "trades"
    WAITS = "waits"
    OVER = "over"
    UNKNOWN = "unknown"


class Roster:
    """What is captured, in order; before the exchange has told otherwise everything trades."""

    def __init__(self, symbols: Iterable[str]) -> None:
        self.symbols = list(dict.fromkeys(symbols))
        self._statuses: Mapping[str, str] | None = None

    def add(self, symbols: Iterable[str]) -> list[str]:
        """Captures more symbols; returns those of them that were not captured before."""
        new = [symbol for symbol in dict.fromkeys(symbols) if symbol not in self.symbols]
        self.symbols += new
        return new

    def remove(self, symbols: Iterable[str]) -> list[str]:
        """Captures some symbols no longer; returns those that were."""
        gone = [symbol for symbol in dict.fromkeys(symbols) if symbol in self.symbols]
        self.symbols = [symbol for symbol in self.symbols if symbol not in gone]
        return gone

    def take(self, statuses: Mapping[str, str]) -> None:
        """What the exchange lists now: the status of every contract."""
        self._statuses = statuses

    def status(self, symbol: str) -> str | None:
        """Its status as the exchange calls it; None where it lists no such symbol, or nothing."""
        return (self._statuses or {}).get(symbol)

    def standing(self, symbol: str) -> Standing:
        """How any symbol stands, captured or not."""
        if self._statuses is None:
            return Standing.TRADES
        status = self._statuses.get(symbol)
        if status is None:
            return Standing.UNKNOWN
        if status == "TRADING":
            return Standing.TRADES
        return Standing.OVER if status in _OVER else Standing.WAITS

    def trades(self, symbol: str) -> bool:
        """Whether it trades, as far as is known."""
        return self.standing(symbol) is Standing.TRADES

    def may_trade(self, symbol: str) -> bool:
        """Whether it trades, or may trade again."""
        return self.standing(symbol) in (Standing.TRADES, Standing.WAITS)

    def standings(self) -> dict[str, Standing]:
        """How each of the captured symbols stands."""
        return {symbol: self.standing(symbol) for symbol in self.symbols}

    @property
    def not_trading(self) -> dict[str, str]:
        """The captured symbols that do not trade, each with its status."""
        return {
            symbol: self.status(symbol) or Standing.UNKNOWN.value
            for symbol in self.symbols
            if not self.trades(symbol)
        }

    def sentence(self, symbol: str) -> str:
        """What there is to say of a captured symbol that does not trade, and what to do."""
        standing, status = self.standing(symbol), self.status(symbol)
        if standing is Standing.UNKNOWN:
            return f"symbols: the exchange does not know {symbol!r}{self._nearest(symbol)}"
        if standing is Standing.OVER:
            return (
                f"symbols: {symbol!r} never trades again (status {status}); what is stored of it "
                "stays, remove it from symbols"
            )
        return (
            f"symbols: {symbol!r} does not trade now (status {status}); the others go on, and it "
            "joins as soon as it trades"
        )

    def _nearest(self, symbol: str) -> str:
        listed: Sequence[str] = list(self._statuses or {})
        near = get_close_matches(symbol, listed, _NEAREST)
        return f"; did you mean {' or '.join(near)}?" if near else ""
