"""How much of the history is still to be fetched, and how long the budget makes it last. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from collector.log_lines import symbols_counted
from spreadlake.venue import Venue


@dataclass(frozen=True)
class Traded:
    """What klines tell of a symbol in the time that trades are fetched of.

    `pages` is the most pages of trades that it can have: aggregate trades are fewer than trades.
    """

    quote_volume: float
    pages: int


@dataclass(frozen=True)
class RemainingHistory:
    """What is left: of `symbols`, those without klines and those without all of their trades.

    `weight` is what it costs, and `klines_weight` what the klines cost of it; in minutes, at what
    a minute allows. `bounded` says that klines told of all of the trades: then it is not more than
    this.
    """

    symbols: int
    klines: int
    trades: int
    weight: int
    klines_weight: int
    per_minute: int
    bounded: bool

    @property
    def minutes(self) -> float:
        """How long all of it takes."""
        return self.weight / self.per_minute

    @property
    def minutes_ready(self) -> bool:
        """Whether there are 1m klines of all symbols: bars of a minute and longer are ready."""
        return not self.klines

    @property
    def text(self) -> str:
        """The same for people."""
        parts = [
            f"{what} of {self._counted(symbols)}"
            for what, symbols in (("klines", self.klines), ("trades", self.trades))
            if symbols
        ]
        bound = "at most" if self.bounded else "at least"
        left = f"{' and '.join(parts)} to fetch, {bound} about {_minutes(self.minutes)}"
        soon = f"in about {_minutes(self.klines_weight / self.per_minute)}"
        return f"{left}; minutes are ready{'' if self.minutes_ready else f' {soon}'}"

    @property
    def status(self) -> dict[str, object]:
        """The same for programs, in seconds."""
        return {
            "symbols": self.symbols,
            "klines_left": self.klines,
            "trades_left": self.trades,
            "minutes_ready": self.minutes_ready,
            "klines_seconds": round(60 * self.klines_weight / self.per_minute, 1),
            "seconds": round(60 * self.minutes, 1),
            "at_most": self.bounded,
        }

    def _counted(self, left: int) -> str:
        return (
            symbols_counted(left) if left >= self.symbols else f"{left} of {self.symbols} symbols"
        )


def _minutes(minutes: float) -> str:
    return f"{max(1, round(minutes))} min"


def remaining_history(
    klines: Collection[str],
    trades: Collection[str],
    minutes: int,
    traded: Mapping[str, Traded],
    fetched: Mapping[str, int],
    per_minute: int,
    venue: Venue,
    symbols: int = 0,
) -> RemainingHistory | None:
    """What is left, of so many captured `symbols`; None where nothing is.

    `minutes` of klines are fetched of each of `klines`; `fetched` are the pages that each of
    `trades` already has. A symbol that klines do not tell of yet counts one page. The weight goes
    by at most `per_minute`, so that it takes longer where repairs or others use of it.
    """
    if not klines and not trades:
        return None
    whole, rest = divmod(minutes + 1, venue.KLINES_PAGE)
    each = whole * venue.klines_weight(venue.KLINES_PAGE)
    each += venue.klines_weight(rest) if rest else 0
    pages = sum(
        max(1, traded[symbol].pages - fetched.get(symbol, 0)) if symbol in traded else 1
        for symbol in trades
    )
    of_klines = len(klines) * each
    return RemainingHistory(
        symbols,
        len(klines),
        len(trades),
        of_klines + pages * venue.TRADES_WEIGHT,
        of_klines,
        per_minute,
        all(symbol in traded for symbol in trades),
    )
