"""Which trades of a dump a lake has, has not, or has otherwise, hour by hour. Pure.

A trade is what its id says: the same id with another value is a difference, whatever hour it is
in. What one of the two does not know (NULL) is no difference. Memory holds what does not match, and
of that unbroken ranges of ids where there are any.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import polars as pl

from importer.merge import trades_in
from spreadlake.lake.ticks.id_ranges import IdCollector, Ids, within
from spreadlake.trades import IdRange

Reason = Literal["not captured", "not imported", "lost", "open", "file gone", "unexplained"]
"""Why a trade is missing here: the lake began later or ended earlier, its gaps say so, or the file
that held it is gone or damaged; `unexplained` is a trade that the lake says it has."""

COMPARED = ("time_ms", "price", "qty", "buyer_is_maker", "first_trade_id", "last_trade_id")
_SHOWN = ("trade_id", *COMPARED)
_EXAMPLES = 10


class Known(NamedTuple):
    """What the lake says of a symbol: the first and the last id that it holds, and its gaps.

    None without a trade of it. `gaps` are ascending ranges of ids by the reason that they give.
    """

    span: IdRange | None
    gaps: Mapping[Reason, Sequence[IdRange]] = {}

    def reasons(self, ids: IdRange, otherwise: Reason = "unexplained") -> Counter[Reason]:
        """Why the trades of these ids are missing, by how many of them."""
        if self.span is None:
            return Counter({"not captured": ids.size})
        inside = _overlap(ids, [self.span])
        found: Counter[Reason] = Counter({"not captured": ids.size - inside})
        for reason, ranges in self.gaps.items():
            found[reason] = _overlap(ids, ranges)
        found[otherwise] += ids.size - found.total()
        return +found


@dataclass
class HourComparison:
    """What came of one hour of one symbol; numbers of trades.

    `missing` are those that only the dump has, by the reason, `extra` those that only the lake has,
    `different` those that have another value there, and `values` how often which.
    """

    hour_ms: int
    dump: int = 0
    lake: int = 0
    equal: int = 0
    different: int = 0
    extra: int = 0
    missing: Counter[Reason] = field(default_factory=Counter)
    values: Counter[str] = field(default_factory=Counter)


class Difference(NamedTuple):
    """One trade as the dump has it and as the lake has it; None where it is not there."""

    hour_ms: int
    dump: dict[str, Any] | None
    lake: dict[str, Any] | None


@dataclass
class _Hour:
    result: HourComparison
    here: IdCollector = field(default_factory=IdCollector)  # only in the dump
    there: Ids | None = None  # of the lake, and not met in the dump yet; None: not read yet
    gone: bool = False


class Comparison:
    """Compares one symbol's dump with the lake; every hour of the dump may come in pieces."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._hours: dict[int, _Hour] = {}
        self.examples: list[Difference] = []

    def take(self, hour_ms: int, records: pl.DataFrame, lake: pl.DataFrame | None) -> None:
        """Takes in trades of an hour of the dump, and all of the lake's in that hour.

        `lake` is None where the lake's cannot be read.
        """
        found = self._hours.setdefault(hour_ms, _Hour(HourComparison(hour_ms)))
        dump = trades_in(records).unique("trade_id", keep="first", maintain_order=True)
        ids = dump["trade_id"].to_numpy()
        if lake is None:
            found.gone = True
            found.result.dump += ids.size
            found.here.add(np.sort(ids))
            return
        both = dump.join(lake, on="trade_id", suffix="_lake")
        self._count(found, dump, both, lake)
        missing = dump.join(lake, on="trade_id", how="anti").sort("trade_id")
        found.here.add(missing["trade_id"].to_numpy())
        self._example(hour_ms, missing, None)
        if found.there is None:
            found.there = lake["trade_id"].to_numpy()
        found.there = np.setdiff1d(found.there, ids, assume_unique=True)

    def _count(
        self, found: _Hour, dump: pl.DataFrame, both: pl.DataFrame, lake: pl.DataFrame
    ) -> None:
        other = [(pl.col(n) != pl.col(f"{n}_lake")).fill_null(False).alias(n) for n in COMPARED]
        differs = both.select(other)
        wrong = both.filter(differs.select(pl.any_horizontal(pl.all())).to_series())
        result = found.result
        result.dump += dump.height
        result.lake = max(result.lake, lake.height)
        result.different += wrong.height
        result.equal += both.height - wrong.height
        sums = differs.sum().row(0, named=True) if both.height else {}
        result.values += Counter({name: int(n) for name, n in sums.items() if n})
        self._example(result.hour_ms, wrong, "_lake")

    def _example(self, hour_ms: int, rows: pl.DataFrame, suffix: str | None) -> None:
        for row in rows.head(_EXAMPLES - len(self.examples)).iter_rows(named=True):
            mine = {name: row[name] for name in _SHOWN}
            theirs = None if suffix is None else _suffixed(row, suffix)
            self.examples.append(Difference(hour_ms, mine, theirs))

    def results(self) -> list[HourComparison]:
        """All hours in order, once everything was taken in."""
        self._move()
        for hour in self._hours.values():
            there = hour.there if hour.there is not None else np.empty(0, np.int64)
            hour.result.extra = there.size
            why: Reason = "file gone" if hour.gone else "unexplained"
            for one in hour.here.ranges():
                hour.result.missing += self._known.reasons(one, why)
        return [self._hours[hour_ms].result for hour_ms in sorted(self._hours)]

    def _move(self) -> None:
        """A trade that the lake has in another hour of the dump has another time there."""
        extra = [hour.there for hour in self._hours.values() if hour.there is not None]
        others = np.sort(np.concatenate(extra)) if extra else np.empty(0, np.int64)
        if not others.size:
            return
        moved = np.concatenate([self._moved(hour, others) for hour in self._hours.values()])
        for hour in self._hours.values():
            if hour.there is not None:
                hour.there = np.setdiff1d(hour.there, moved, assume_unique=True)

    def _moved(self, hour: _Hour, others: Ids) -> Ids:
        ranges = hour.here.ranges()
        moved = others[within(ranges, others)]
        if moved.size:
            hour.result.different += moved.size
            hour.result.values["time_ms"] += moved.size
            hour.here = _without(ranges, moved)
        return moved


def _suffixed(row: Mapping[str, Any], suffix: str) -> dict[str, Any]:
    return {name: row.get(f"{name}{suffix}", row[name]) for name in _SHOWN}


def _without(ranges: Iterable[IdRange], ids: Ids) -> IdCollector:
    left = IdCollector()
    for one in ranges:
        left.add(np.setdiff1d(np.arange(one.first, one.last + 1), ids, assume_unique=True))
    return left


def _overlap(ids: IdRange, ranges: Sequence[IdRange]) -> int:
    """How many of `ids` are in one of `ranges`, which are disjoint."""
    table = np.array(ranges, np.int64).reshape(-1, 2)
    firsts, lasts = np.maximum(table[:, 0], ids.first), np.minimum(table[:, 1], ids.last)
    return int(np.maximum(lasts - firsts + 1, 0).sum())
