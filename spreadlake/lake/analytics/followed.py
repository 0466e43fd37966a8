"""The rows of `followed_pairs`: the pairs that the analytics job keeps up to date, and why."""

import sqlite3
from collections.abc import Iterable

from spreadlake.lake.databases.meta import has_table
from spreadlake.pairs import FollowedPair, Pair, parse_pair

_STORED = "SELECT pair, source, since, why FROM followed_pairs"
_OF_BEFORE = "SELECT DISTINCT pair, 'configuration' AS source, NULL, '' FROM series"


def read_followed(db: sqlite3.Connection) -> list[FollowedPair]:
    """All of them, by name; of an older lake that its job has not opened since as well."""
    sql = _STORED if has_table(db, "followed_pairs") else _OF_BEFORE
    rows = db.execute(f"{sql} ORDER BY pair").fetchall()
    return [FollowedPair(parse_pair(pair), *rest) for pair, *rest in rows]


def count_followed(db: sqlite3.Connection) -> dict[str, int]:
    """How many there are by source, those that have any."""
    table = _STORED if has_table(db, "followed_pairs") else _OF_BEFORE
    rows = db.execute(f"SELECT source, count(*) FROM ({table}) GROUP BY source ORDER BY source")
    return {str(source): int(number) for source, number in rows.fetchall()}


def read_chosen(db: sqlite3.Connection) -> list[Pair]:
    """Those that the screens chose, whoever else asked for them too."""
    if not has_table(db, "followed_pairs"):
        return []
    rows = db.execute("SELECT pair FROM screen_choices WHERE since IS NOT NULL ORDER BY pair")
    return [parse_pair(pair) for (pair,) in rows.fetchall()]


def save_followed(
    db: sqlite3.Connection, followed: Iterable[FollowedPair], final: int | None
) -> None:
    """Makes the table say `followed`, in the caller's transaction; writes what has changed only.

    What the configuration asks for counts from `final` on, up to which (Unix s) bars are final.
    """
    stored = {row[0]: row for row in db.execute(_STORED).fetchall()}
    wanted = {}
    for one in followed:
        name, since = one.pair.name, one.since
        if one.source == "configuration":
            before = stored.get(name)
            since = before[2] if before and before[1] == one.source else final
        wanted[name] = (name, one.source, since, one.why)
    gone = [(name,) for name in stored if name not in wanted]
    db.executemany("DELETE FROM followed_pairs WHERE pair = ?", gone)
    changed = [row for name, row in wanted.items() if stored.get(name) != row]
    db.executemany("INSERT OR REPLACE INTO followed_pairs VALUES (?, ?, ?, ?)", changed)
