"""The rows of `gaps`: one for each missing range, kept true as trades arrive.

Changes are written inside the caller's transaction and drafted beside what is known; `settle`
takes the draft over once the transaction is durable, `discard` drops it.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from spreadlake.lake.ticks.id_ranges import HoleChange, IdRange

GapState = Literal["open", "lost"]

# Late trades are still taken into lost gaps, as far back as this many of them.
_LOST_KEPT = 1_000
_CONFIRMED = "waiting for repair"


@dataclass(frozen=True)
class Gap:
    """A missing range of ids; `found_ms` is local Unix time.

    `confirmed` says that it stayed open long enough not to be mere disorder on the way.
    """

    row: int
    symbol: str
    range: IdRange
    found_ms: int
    cause: str
    state: GapState = "open"
    confirmed: bool = False


class GapBook:
    """All gaps that trades may still fill, by symbol and first id."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._gaps = {
            _key(gap): gap for gap in (*_load(db, "open", -1), *_load(db, "lost", _LOST_KEPT))
        }
        self._draft: dict[tuple[str, int], Gap] | None = None

    def gaps(self, state: GapState = "open") -> list[Gap]:
        """The gaps in a state, oldest first."""
        return sorted((g for g in self._gaps.values() if g.state == state), key=lambda g: g.row)

    def has(self, gap: Gap) -> bool:
        """Whether the gap still is as it was."""
        return self._gaps.get(_key(gap)) == gap

    def holes(self, symbol: str) -> tuple[IdRange, ...]:
        """The missing ranges of a symbol in ascending order."""
        return tuple(sorted(g.range for g in self._gaps.values() if g.symbol == symbol))

    def open(self, symbol: str, ranges: Iterable[IdRange], found_ms: int, cause: str) -> None:
        """Records ranges that were just found missing."""
        for part in ranges:
            self._insert(Gap(0, symbol, part, found_ms, cause))

    def fill(self, symbol: str, change: HoleChange, now_ms: int) -> None:
        """Shrinks or closes a gap whose trades came in.

        What was filled stays on record as repaired, unless the gap was not confirmed: then its
        trades were only late.
        """
        gap = self._known[symbol, change.hole.first]
        self._resize(gap, change.left)
        if gap.confirmed:
            for filled in change.filled:
                self._record_repaired(gap, filled, now_ms)

    def confirm(self, gaps: Iterable[Gap]) -> None:
        """Marks gaps as real: their trades did not come by themselves."""
        for gap in gaps:
            self._db.execute("UPDATE gaps SET message = ? WHERE id = ?", (_CONFIRMED, gap.row))
            self._drafted[_key(gap)] = replace(gap, confirmed=True)

    def lose(self, symbol: str, lost: IdRange, now_ms: int, message: str) -> None:
        """Closes what is still open of `lost` as beyond repair."""
        for gap in self.gaps():
            part = IdRange(max(gap.range.first, lost.first), min(gap.range.last, lost.last))
            if gap.symbol != symbol or part.size <= 0:
                continue
            before = IdRange(gap.range.first, part.first - 1)
            after = IdRange(part.last + 1, gap.range.last)
            self._resize(gap, tuple(side for side in (before, after) if side.size > 0))
            self._insert(replace(gap, range=part, state="lost", confirmed=True), now_ms, message)

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

    @property
    def _drafted(self) -> dict[tuple[str, int], Gap]:
        if self._draft is None:
            self._draft = dict(self._gaps)
        return self._draft

    def _insert(self, gap: Gap, closed_ms: int | None = None, message: str | None = None) -> None:
        if message is None:
            message = _CONFIRMED if gap.confirmed else ""
        cursor = self._db.execute(
            "INSERT INTO gaps(symbol, first_id, last_id, found_ms, cause, state, closed_ms, "
            "message) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (gap.symbol, *gap.range, gap.found_ms, gap.cause, gap.state, closed_ms, message),
        )
        self._drafted[_key(gap)] = replace(gap, row=int(cursor.lastrowid or 0))

    def _resize(self, gap: Gap, left: tuple[IdRange, ...]) -> None:
        del self._drafted[_key(gap)]
        if not left:
            self._db.execute("DELETE FROM gaps WHERE id = ?", (gap.row,))
            return
        self._db.execute(
            "UPDATE gaps SET first_id = ?, last_id = ? WHERE id = ?", (*left[0], gap.row)
        )
        kept = replace(gap, range=left[0])
        self._drafted[_key(kept)] = kept
        for part in left[1:]:
            self._split(kept, part)

    def _split(self, gap: Gap, part: IdRange) -> None:
        """Records another part of a gap, with all that is on record of it."""
        closed_ms, message = self._db.execute(
            "SELECT closed_ms, message FROM gaps WHERE id = ?", (gap.row,)
        ).fetchone()
        self._insert(replace(gap, range=part), closed_ms, message)

    def _record_repaired(self, gap: Gap, filled: IdRange, now_ms: int) -> None:
        """One row for all that was repaired of a gap, as far as it is in one piece."""
        neighbours = self._db.execute(
            "DELETE FROM gaps WHERE symbol = ? AND state = 'repaired' AND found_ms = ? "
            "AND (last_id = ? OR first_id = ?) RETURNING first_id, last_id",
            (gap.symbol, gap.found_ms, filled.first - 1, filled.last + 1),
        ).fetchall()
        first = min([filled.first, *(row[0] for row in neighbours)])
        last = max([filled.last, *(row[1] for row in neighbours)])
        self._db.execute(
            "INSERT INTO gaps(symbol, first_id, last_id, found_ms, cause, state, closed_ms) "
            "VALUES (?, ?, ?, ?, ?, 'repaired', ?)",
            (gap.symbol, first, last, gap.found_ms, gap.cause, now_ms),
        )


def _key(gap: Gap) -> tuple[str, int]:
    return gap.symbol, gap.range.first


def _load(db: sqlite3.Connection, state: GapState, limit: int) -> Iterable[Gap]:
    rows = db.execute(
        "SELECT id, symbol, first_id, last_id, found_ms, cause, message FROM gaps "
        "WHERE state = ? ORDER BY id DESC LIMIT ?",
        (state, limit),
    )
    for row, symbol, first, last, found_ms, cause, message in rows:
        yield Gap(row, symbol, IdRange(first, last), found_ms, cause, state, message != "")
