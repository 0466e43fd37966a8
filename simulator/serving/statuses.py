"""Which contracts of the simulated exchange trade now, and which do not. Pure."""

from collections.abc import Mapping

from spreadlake.binance.listings import NEVER_TRADED, OVER, STATUSES, TRADING
from spreadlake.errors import InputError


class Statuses:
    """The status of every contract: TRADING, unless it was set to another one.

    While a contract does not trade nothing of it is sent, and REST has its trades up to that
    moment only. What the source makes meanwhile REST has once it trades again: the source's ids
    are those of its clock, which nothing stops.
    """

    def __init__(self, given: Mapping[str, str], now_ms: int) -> None:
        self._since: dict[str, tuple[str, int]] = {}
        for symbol, status in given.items():
            self.set(symbol, status, now_ms)

    @property
    def halted(self) -> frozenset[str]:
        """The symbols that do not trade."""
        return frozenset(self._since)

    def set(self, symbol: str, status: str, now_ms: int) -> None:
        """Gives a contract another status at the exchange's time `now_ms`."""
        if status not in STATUSES:
            raise InputError(f"status {status!r} is none of {', '.join(STATUSES)}")
        if status == TRADING:
            self._since.pop(symbol, None)
            return
        known, since_ms = self._since.get(symbol, (status, now_ms))
        self._since[symbol] = (status, 0 if NEVER_TRADED in (status, known) else since_ms)

    def of(self, symbol: str) -> str:
        """The status as the list of contracts tells it."""
        return self._since.get(symbol, (TRADING, 0))[0]

    def is_over(self, symbol: str) -> bool:
        """Whether it never comes back: REST refuses it."""
        return self.of(symbol) in OVER

    def shown_until(self, symbol: str, now_ms: int) -> int:
        """REST has the trades before this time (Unix ms); 0: it has none."""
        return min(now_ms, self._since.get(symbol, (TRADING, now_ms))[1])
