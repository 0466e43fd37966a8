"""The symbols that are captured, and how each of them stands at the exchange. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from spreadlake.venue import Listed, Standing

_NEAREST = 3


class Roster:
    """What is captured, in order; before the exchange has told otherwise everything trades."""

    def __init__(self, symbols: Iterable[str]) -> None:
        self.symbols = list(dict.fromkeys(symbols))
        self._listed: Mapping[str, Listed] | None = None

    @property
    def has_listing(self) -> bool:
        """Whether the exchange has told."""
        return self._listed is not None

    @property
    def listed(self) -> Mapping[str, Listed]:
        """All contracts that the exchange lists, by symbol; none before it has told."""
        return self._listed or {}

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

    def take(self, listing: Iterable[Listed]) -> None:
        """What the exchange lists now: every contract."""
        self._listed = {contract.symbol: contract for contract in listing}

    def status(self, symbol: str) -> str | None:
        """Its status as the exchange calls it; None where it lists no such symbol, or nothing."""
        contract = (self._listed or {}).get(symbol)
        return contract and contract.status

    def standing(self, symbol: str) -> Standing:
        """How any symbol stands, captured or not."""
        if self._listed is None:
            return Standing.TRADES
        contract = self._listed.get(symbol)
        return contract.standing if contract else Standing.UNKNOWN

    def is_trading(self, symbol: str) -> bool:
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
            if not self.is_trading(symbol)
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
        listed: Sequence[str] = list(self._listed or {})
        near = get_close_matches(symbol, listed, _NEAREST)
        return f"; did you mean {' or '.join(near)}?" if near else ""
