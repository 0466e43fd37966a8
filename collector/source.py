"""Where the live trades of a lake come from, as the collector knows it.

By connections of its own to the exchange, or out of a log that captures elsewhere publish to.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

Work = Sequence[Coroutine[Any, Any, None]]


class Host(Protocol):
    """What a source asks of whoever runs it."""

    def check_if_old(self) -> None:
        """A symbol is silent: how it stands at the exchange may have to be asked."""

    def has_worked(self) -> bool:
        """Whether trades of the exchange ever came here."""


class Source(Protocol):
    """Takes live trades into the store, for as long as its work runs."""

    @property
    def waiting(self) -> int:
        """Trades in memory that are not stored yet."""

    def status(self) -> dict[str, Any]:
        """What it tells of itself, for the lake's status."""

    def work(self) -> Work:
        """What is to be run until the end, once."""

    def add(self, symbols: Sequence[str]) -> Work:
        """Takes more symbols; returns what is to be run for them."""

    def remove(self, symbols: Sequence[str]) -> None:
        """Takes some symbols no longer."""

    def joined(self, symbols: Sequence[str]) -> None:
        """These trade that did not."""

    def still_to_come(self, symbol: str) -> Callable[[], bool]:
        """Whether trades of `symbol` from before now may come yet, asked again and again."""

    def excuse_silence(self) -> None:
        """Trades cannot be stored now: that none come is our own doing."""

    async def flush(self) -> None:
        """Stores all that waits; returns when it is durable."""

    async def close(self) -> None:
        """Ends what `flush` could not."""
