"""What the lines of the log have in common: a bounded rate, and symbols in words."""

import time
from collections.abc import Callable, Sequence

_NAMED = 3


class RateLimitedLog:
    """Passes one line in `seconds` on to `log`, and says how many like it were left out."""

    def __init__(
        self,
        log: Callable[..., None],
        seconds: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._seconds = seconds
        self._clock = clock
        self._next = float("-inf")
        self._left_out = 0

    def __call__(self, message: str, *args: object) -> None:
        """Logs the line, or counts it."""
        now = self._clock()
        if now < self._next:
            self._left_out += 1
            return
        more = f" ({self._left_out} more like it in between)" if self._left_out else ""
        self._next, self._left_out = now + self._seconds, 0
        self._log(message + more, *args)


class OnceLog:
    """Passes the first line about each thing on to `log`; remembers at most `most` things."""

    def __init__(self, log: Callable[..., None], most: int = 1000) -> None:
        self._log = log
        self._most = most
        self._told: set[str] = set()

    def __call__(self, about: str, message: str, *args: object) -> None:
        """Logs the line, unless one about the same was logged."""
        if about not in self._told and len(self._told) < self._most:
            self._told.add(about)
            self._log(message, *args)


def shortened(symbols: Sequence[str]) -> str:
    """The first few of them by name, and how many more there are."""
    more = len(symbols) - _NAMED
    return ", ".join(symbols[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def symbols_counted(number: int) -> str:
    """`1 symbol`, `2 symbols`."""
    return f"{number} symbol{'' if number == 1 else 's'}"


def several(reasons: Sequence[str]) -> str:
    """The first few of them as they are, and how many more there are."""
    more = len(reasons) - _NAMED
    return "; ".join(reasons[:_NAMED]) + (f"; and {more} more like these" if more > 0 else "")
