"""The gaps that trades may still fill, as they are on record, kept true as trades arrive.

Changes are written inside the caller's transaction and drafted beside what is known; `settle`
takes the draft over once the transaction is durable, `discard` drops it.
"""

import sqlite3
from collections.abc import Iterable

from spreadlake.lake.ticks.gaps import (
    Gap,
    GapState,
    close_as_lost,
    confirm_gap,
    fill_gap,
    insert_gap,
    newest_gaps,
)
from spreadlake.lake.ticks.id_ranges import GapChange
from spreadlake.trades import IdRange

# Late trades are still taken into lost gaps, as far back as this many of them.
_LOST_KEPT = 1_000


class GapStore:
    """All gaps that trades may still fill, by symbol and first id."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        known = (*newest_gaps(db, "open"), *newest_gaps(db, "lost", _LOST_KEPT))
        self._gaps = {_key(gap): gap for gap in known}
        self._draft: dict[tuple[str, int], Gap] | None = None

    def gaps(self, state: GapState = "open") -> list[Gap]:
        """The gaps in a state, oldest first."""
        return sorted((g for g in self._gaps.values() if g.state == state), key=lambda g: g.row)

    def has(self, gap: Gap) -> bool:
        """Whether the gap still is as it was."""
        return self._gaps.get(_key(gap)) == gap

    def missing(self, symbol: str) -> tuple[IdRange, ...]:
        """The missing ranges of a symbol in ascending order."""
        return tuple(sorted(g.range for g in self._gaps.values() if g.symbol == symbol))

    def open(self, symbol: str, ranges: Iterable[IdRange], found_ms: int, cause: str) -> None:
        """Records ranges that were just found missing."""
        for part in ranges:
            self._replace(None, [insert_gap(self._db, Gap(0, symbol, part, found_ms, cause))])

    def fill(self, symbol: str, change: GapChange, now_ms: int) -> None:
        """Shrinks or closes a gap whose trades came in."""
        gap = self._known[symbol, change.gap.first]
        self._replace(gap, fill_gap(self._db, gap, change, now_ms))

    def confirm(self, gaps: Iterable[Gap]) -> None:
        """Marks gaps as real: their trades did not come by themselves."""
        for gap in gaps:
            self._replace(gap, [confirm_gap(self._db, gap)])

    def close_as_lost(self, symbol: str, lost: IdRange, now_ms: int, message: str) -> None:
        """Closes what is still open of `lost` as beyond repair."""
        for gap in self.gaps():
            part = IdRange(max(gap.range.first, lost.first), min(gap.range.last, lost.last))
            if gap.symbol == symbol and part.size > 0:
                self._replace(gap, close_as_lost(self._db, gap, part, now_ms, message))

    def settle(self) -> None:
        """Takes over what the transaction that just committed wrote."""
        if self._draft is not None:
            self._gaps, self._draft = self._draft, None

    def discard(self) -> None:
        """Forgets what the transaction that just failed would have written."""
        self._draft = None

    @property
    def _known(self) -> dict[tuple[str, int], Gap]:
        return self._gaps if self._draft is None else self._draft

    def _replace(self, gap: Gap | None, parts: Iterable[Gap]) -> None:
        if self._draft is None:
            self._draft = dict(self._gaps)
        if gap is not None:
            del self._draft[_key(gap)]
        self._draft.update((_key(part), part) for part in parts)


def _key(gap: Gap) -> tuple[str, int]:
    return gap.symbol, gap.range.first
