"""When a symbol or a connection has been silent for too long. Pure: times are given, in seconds.

Symbols trade at very different paces, so each is judged by its own rhythm: what is a stall for
one is an ordinary pause for another.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# A pause this many times the usual one is worth a question.
_PAUSES = 20.0
_SMOOTHING = 0.2
_MOST_DOUBLINGS = 7


@dataclass
class Rhythm:
    """How often a symbol trades: `interval` is a moving average of the time between trades.

    `confirmed` is when its last trade was last known to be the newest there is; `began` when it was
    added, or began to trade again, where it was not there from the start.
    """

    last_trade: float
    began: float = float("-inf")
    confirmed: float = float("-inf")
    interval: float | None = None
    questions: int = 0

    def observe(self, trades: int, now: float) -> None:
        """Takes in `trades` that arrived up to `now`."""
        sample = (now - self.last_trade) / trades
        if self.interval is None:
            self.interval = sample
        self.interval += _SMOOTHING * (sample - self.interval)
        self.last_trade, self.confirmed, self.questions = now, now, 0

    def allowed_silence(self, least: float) -> float:
        """Seconds of silence to bear; doubles with every question that found nothing wrong."""
        usual = max(least, _PAUSES * (self.interval or 0.0))
        return usual * 2.0 ** min(self.questions, _MOST_DOUBLINGS)


class SilenceDetector:
    """The rhythms of all symbols; `least` is the shortest silence that is ever questioned."""

    def __init__(self, symbols: Iterable[str], least: float, now: float) -> None:
        self._least = least
        self._rhythms = {symbol: Rhythm(now) for symbol in symbols}

    def begin(self, symbols: Iterable[str], now: float) -> None:
        """Judges symbols from `now` on, as if nothing was known of them: they only begin to trade.

        Those that were not watched before are from now on.
        """
        self._rhythms |= {symbol: Rhythm(now, now) for symbol in symbols}

    def began(self, symbols: Iterable[str]) -> float:
        """When the last of `symbols` began to trade; -inf where all were there from the start."""
        return max((self._rhythms[symbol].began for symbol in symbols), default=float("-inf"))

    def observe(self, trades: Mapping[str, int], now: float) -> None:
        """Takes in how many trades of each symbol arrived."""
        for symbol, count in trades.items():
            self._rhythms[symbol].observe(count, now)

    def ignore_until(self, now: float) -> None:
        """Silence up to `now` is our own doing (we did not read) and does not count."""
        for rhythm in self._rhythms.values():
            rhythm.last_trade = max(rhythm.last_trade, now)

    def questioned(self, symbol: str, now: float) -> None:
        """The exchange was asked for its last trade: the next question waits longer."""
        rhythm = self._rhythms[symbol]
        rhythm.confirmed, rhythm.questions = now, rhythm.questions + 1

    def confirmed_since(self, symbol: str, since: float) -> bool:
        """Whether its last trade was known at `since` or later: a newer one was then missed."""
        return self._rhythms[symbol].confirmed >= since

    def silent(self, symbols: Iterable[str], since: float, now: float) -> list[str]:
        """Those of `symbols`, connected at `since`, that have been silent for too long."""
        return [symbol for symbol in symbols if self._is_silent(self._rhythms[symbol], since, now)]

    def most_active(self, symbols: Iterable[str], most: int) -> list[str]:
        """The symbols that trade most often, at most `most`; those never heard come last."""
        never = float("inf")
        return sorted(symbols, key=lambda s: self._rhythms[s].interval or never)[:most]

    def allowed_connection_silence(self, symbols: Iterable[str]) -> float:
        """Seconds without any trade of `symbols` after which their connection is questioned."""
        return self._rhythms[self.most_active(symbols, 1)[0]].allowed_silence(self._least)

    def _is_silent(self, rhythm: Rhythm, since: float, now: float) -> bool:
        return now - max(rhythm.last_trade, since) > rhythm.allowed_silence(self._least)
