"""The rows of `gaps`: one for each range of ids that is missing, or was and is no more.

Whatever changes them runs inside the caller's transaction, and returns them as they are then.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from spreadlake.trades import IdRange

if TYPE_CHECKING:  # numpy takes a while to import, and every report on a lake reads this
    from spreadlake.lake.ticks.id_ranges import GapChange

GapState = Literal["open", "lost"]

IMPORT = "import"
"""Cause of a gap between imported files: no loss, only a file that was not imported (yet)."""

_CONFIRMED = "waiting for repair"
_COLUMNS = "id, symbol, first_id, last_id, found_ms, cause, state, closed_ms, message"


@dataclass(frozen=True)
class Gap:
    """A missing range of ids; times are local Unix time in ms.

    Its `message` is empty until it stayed open long enough not to be mere disorder on the way.
    """

    row: int
    symbol: str
    range: IdRange
    found_ms: int
    cause: str
    state: GapState = "open"
    closed_ms: int | None = None
    message: str = ""

    @property
    def confirmed(self) -> bool:
        """Whether its trades did not come by themselves in a moment."""
        return self.message != ""


class LeftOut(NamedTuple):
    """Trades of one symbol between the imported ones that no file brought, in so many ranges."""

    symbol: str
    trades: int
    ranges: int


def newest_gaps(db: sqlite3.Connection, state: GapState, most: int = -1) -> list[Gap]:
    """The gaps in a state, at most `most` of them, newest first."""
    # The + keeps to the index of the state: by id all rows there ever were would be looked at.
    return _select(db, state, "true ORDER BY +id DESC LIMIT ?", most)


def gaps_of(db: sqlite3.Connection, symbol: str) -> list[Gap]:
    """The gaps of a symbol that are not repaired, by their ids."""
    found = [
        *_select(db, "open", "symbol = ?", symbol),
        *_select(db, "lost", "symbol = ?", symbol),
    ]
    return sorted(found, key=lambda gap: gap.range)


def _select(db: sqlite3.Connection, state: GapState, where: str, value: object) -> list[Gap]:
    # The state stands in the text, so that SQLite uses the index of that state.
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM gaps WHERE state = '{state}' AND {where}", (value,)
    ).fetchall()
    return [
        Gap(row, symbol, IdRange(first, last), *rest) for row, symbol, first, last, *rest in rows
    ]


def gap_rows(db: sqlite3.Connection, *, repaired: bool) -> list[tuple[object, ...]]:
    """All that are missing, and those that were where `repaired`, by symbol and ids.

    found_ms, symbol, first_id, last_id, how many trades, state, cause, message, closed_ms.
    """
    found: list[tuple[object, ...]] = []
    for state in ("open", "lost", *(["repaired"] if repaired else [])):
        found += db.execute(
            "SELECT found_ms, symbol, first_id, last_id, last_id - first_id + 1, state, cause, "
            f"message, closed_ms FROM gaps WHERE state = '{state}'"
        ).fetchall()
    return sorted(found, key=lambda row: row[1:4])


def gap_counts(db: sqlite3.Connection, state: GapState) -> dict[str, int]:
    """How many gaps in a state each symbol has."""
    rows = db.execute(
        f"SELECT symbol, count(*) FROM gaps WHERE state = '{state}' GROUP BY symbol"
    ).fetchall()
    return dict(rows)


def left_out(db: sqlite3.Connection) -> list[LeftOut]:
    """What imports have left out so far, by symbol."""
    rows = db.execute(
        "SELECT symbol, sum(last_id - first_id + 1), count(*) FROM gaps "
        "WHERE state = 'lost' AND cause = ? GROUP BY symbol ORDER BY symbol",
        (IMPORT,),
    )
    return [LeftOut(*row) for row in rows]


def insert_gap(db: sqlite3.Connection, gap: Gap) -> Gap:
    """Puts a gap on record; its `row` is given by that."""
    cursor = db.execute(
        "INSERT INTO gaps(symbol, first_id, last_id, found_ms, cause, state, closed_ms, message) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (gap.symbol, *gap.range, gap.found_ms, gap.cause, gap.state, gap.closed_ms, gap.message),
    )
    return replace(gap, row=int(cursor.lastrowid or 0))


def confirm_gap(db: sqlite3.Connection, gap: Gap) -> Gap:
    """Marks a gap as real: its trades did not come by themselves."""
    db.execute("UPDATE gaps SET message = ? WHERE id = ?", (_CONFIRMED, gap.row))
    return replace(gap, message=_CONFIRMED)


def fill_gap(db: sqlite3.Connection, gap: Gap, change: "GapChange", now_ms: int) -> list[Gap]:
    """Takes what came in out of a gap; returns what is left of it.

    What was filled stays on record as repaired where it had been a loss: not where its trades were
    only late, and not where their file was only not imported yet.
    """
    left = _reduce(db, gap, change.left)
    if gap.confirmed and gap.cause != IMPORT:
        for filled in change.filled:
            _record_repaired(db, gap, filled, now_ms)
    return left


def close_as_lost(
    db: sqlite3.Connection, gap: Gap, lost: IdRange, now_ms: int, message: str
) -> list[Gap]:
    """Closes a part of a gap as beyond repair; returns all parts that it then is in."""
    before = IdRange(gap.range.first, lost.first - 1)
    after = IdRange(lost.last + 1, gap.range.last)
    left = _reduce(db, gap, [side for side in (before, after) if side.size > 0])
    closed = replace(gap, range=lost, state="lost", closed_ms=now_ms, message=message)
    return [*left, insert_gap(db, closed)]


def _reduce(db: sqlite3.Connection, gap: Gap, left: Iterable[IdRange]) -> list[Gap]:
    parts = [replace(gap, range=part) for part in left]
    if not parts:
        db.execute("DELETE FROM gaps WHERE id = ?", (gap.row,))
        return []
    values = (*parts[0].range, gap.row)
    db.execute("UPDATE gaps SET first_id = ?, last_id = ? WHERE id = ?", values)
    return [parts[0], *(insert_gap(db, part) for part in parts[1:])]


def _record_repaired(db: sqlite3.Connection, gap: Gap, filled: IdRange, now_ms: int) -> None:
    """One row for all that was repaired of a gap, as far as it is in one piece."""
    neighbours = db.execute(
        "DELETE FROM gaps WHERE symbol = ? AND state = 'repaired' AND found_ms = ? "
        "AND (last_id = ? OR first_id = ?) RETURNING first_id, last_id",
        (gap.symbol, gap.found_ms, filled.first - 1, filled.last + 1),
    ).fetchall()
    first = min([filled.first, *(row[0] for row in neighbours)])
    last = max([filled.last, *(row[1] for row in neighbours)])
    db.execute(
        "INSERT INTO gaps(symbol, first_id, last_id, found_ms, cause, state, closed_ms) "
        "VALUES (?, ?, ?, ?, ?, 'repaired', ?)",
        (gap.symbol, first, last, gap.found_ms, gap.cause, now_ms),
    )
