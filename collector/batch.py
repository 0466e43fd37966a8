"""What goes from the connections to the store, and what comes back. Plain data."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from spreadlake.wire import TradeEvent

__all__ = ["PAUSED", "Batch", "Stored"]

PAUSED = "reading paused"
"""Cause of a gap whose trades were let go because there was no room for them."""


@dataclass
class Batch:
    """Trades to store in one transaction, with the counters that belong to them.

    `interrupted` names the symbols whose stream was broken before these trades, and by what: a
    jump of their ids has that cause. `source` says whether the trades came by the stream, to fill
    gaps, or as the history before the first live one.
    """

    events: list[TradeEvent] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    interrupted: dict[str, str] = field(default_factory=dict)
    source: Literal["live", "repair", "history"] = "live"

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write at all."""
        return not self.events and not any(self.counts.values())


@dataclass(frozen=True)
class Stored:
    """What one batch came to: trades stored by symbol, and how long the transaction took."""

    ticks: Mapping[str, int]
    duplicates: int
    seconds: float
