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
    """What is left: symbols without klines, symbols without all of their trades, minutes.

    `bounded` says that klines told of all of the trades: then it is not more than this.
    """

    klines: int
    trades: int
    weight: int
    minutes: float
    bounded: bool

    @property
    def text(self) -> str:
        """The same for people."""
        parts = [
            f"{what} of {symbols_counted(symbols)}"
            for what, symbols in (("klines", self.klines), ("trades", self.trades))
            if symbols
        ]
        bound = "at most" if self.bounded else "at least"
        return f"{' and '.join(parts)} to fetch, {bound} about {max(1, round(self.minutes))} min"


def remaining_history(
    klines: Collection[str],
    trades: Collection[str],
    minutes: int,
    traded: Mapping[str, Traded],
    fetched: Mapping[str, int],
    per_minute: int,
    venue: Venue,
) -> RemainingHistory | None:
    """What is left; None where nothing is.

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
    weight = len(klines) * each + pages * venue.TRADES_WEIGHT
    bounded = all(symbol in traded for symbol in trades)
    return RemainingHistory(len(klines), len(trades), weight, weight / per_minute, bounded)
