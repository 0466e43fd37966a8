"""Stretches of time in which something of a symbol is in a lake, or is missing. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from spreadlake.lake.ticks.universe import UniverseRow

HELD = ("trades", "bars")
"""Kinds of stretches of what is there; all others are missing."""


class Extent(NamedTuple):
    """[start, end) in Unix ms."""

    start: int
    end: int

    @classmethod
    def around(cls, several: Sequence["Extent"]) -> Self | None:
        """From the first start to the last end; None of none."""
        if not several:
            return None
        return cls(min(one.start for one in several), max(one.end for one in several))


class Stretch(NamedTuple):
    """[start, end) in Unix ms of one symbol (None: not known), and how many trades or bars."""

    symbol: str
    kind: str
    start: int | None
    end: int | None
    reason: str = ""
    trades: int | None = None
    bars: int | None = None
    timeframe: str | None = None


@dataclass
class TradesKnown:
    """What `ticks.db` and the files of trades tell; extents and klines by symbol."""

    stretches: list[Stretch] = field(default_factory=list)
    extents: dict[str, Extent] = field(default_factory=dict)
    klines: dict[str, list[Extent]] = field(default_factory=dict)
    universe: dict[str, UniverseRow] = field(default_factory=dict)


@dataclass
class BarsKnown:
    """What `analytics.db` and the files of bars tell; `away` since when (ms) symbols have none."""

    stretches: list[Stretch] = field(default_factory=list)
    extents: dict[str, Extent] = field(default_factory=dict)
    kline_runs: dict[str, list[Extent]] = field(default_factory=dict)
    away: dict[str, int] = field(default_factory=dict)
