"""What goes from the connections to the store, and what comes back. Plain data."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from spreadlake.trades import OffMarket, TradeEvent

PAUSED = "reading paused"
"""Cause of a gap whose trades were let go because there was no room for them."""


@dataclass
class Batch:
    """Trades to store in one transaction, with the counters that belong to them.

    Among them are events that are no trades but take an id, so that no id seems to be missing.

    `interrupted` names the symbols whose stream was broken before these trades, and by what: a
    jump of their ids has that cause. `source` says whether the trades came by the stream, to fill
    gaps, or as the history before the first live one.

    Where several connections carry the same symbols, `carriers` says which of them brought how many
    of the events, in their order, and `repeats` what each brought after another one.
    """

    events: Sequence[TradeEvent | OffMarket] = ()
    counts: Counter[str] = field(default_factory=Counter)
    interrupted: dict[str, str] = field(default_factory=dict)
    source: Literal["live", "repair", "history"] = "live"
    carriers: Sequence[tuple[int, int]] = ()
    repeats: Mapping[int, Sequence[TradeEvent | OffMarket]] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write at all."""
        return not self.events and not any(self.counts.values()) and not self.repeats


@dataclass(frozen=True)
class Stored:
    """What one batch came to: trades stored by symbol, and how long the transaction took.

    `contradicting` are trades, by symbol, that were refused: the lake has others by their ids.
    """

    ticks: Mapping[str, int]
    duplicates: int
    seconds: float
    contradicting: Mapping[str, int] = field(default_factory=dict)

    @property
    def arrived(self) -> Mapping[str, int]:
        """How many trades came of each symbol that were not there before, stored or refused."""
        return Counter(self.ticks) + Counter(self.contradicting)
