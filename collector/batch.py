"""What goes from the connections to the store, and what comes back. Plain data."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from spreadlake.wire import TradeEvent

__all__ = ["Batch", "Stored"]


@dataclass
class Batch:
    """Trades to store in one transaction, with the counters that belong to them.

    `interrupted` names the symbols whose stream was broken before these trades, and by what: a
    jump of their ids has that cause. `repair` says that the trades were asked for to fill gaps.
    """

    events: list[TradeEvent] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    interrupted: dict[str, str] = field(default_factory=dict)
    repair: bool = False

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
