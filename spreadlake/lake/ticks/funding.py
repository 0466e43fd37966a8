"""The rows of `funding`: what positions paid, by symbol and time; and how far they are complete."""

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from spreadlake.funding import SAME_MS, Compared, FundingRate, compare_rates
from spreadlake.lake.databases.meta import has_table

_NAMES = ", ".join(FundingRate._fields)
# Parameters of one statement.
_MOST = 500


class FundingSpan(NamedTuple):
    """All rates of `symbol` from `first_ms` until `until_ms`, which is left out, are held."""

    symbol: str
    first_ms: int
    until_ms: int


def read_funding(
    db: sqlite3.Connection, symbols: Sequence[str], start_ms: int = 0, end_ms: int = 2**62
) -> list[FundingRate]:
    """The rates of `symbols` with start_ms <= time_ms < end_ms, by symbol and time.

    None in a lake that was made before there were any.
    """
    if not has_table(db, "funding"):
        return []
    found: list[FundingRate] = []
    wanted = sorted(set(symbols))
    for part in (wanted[at : at + _MOST] for at in range(0, len(wanted), _MOST)):
        rows = db.execute(
            f"SELECT {_NAMES} FROM funding WHERE symbol IN ({', '.join('?' * len(part))}) "
            "AND time_ms >= ? AND time_ms < ? ORDER BY symbol, time_ms",
            (*part, start_ms, end_ms),
        )
        found += [FundingRate(*row) for row in rows]
    return found


def latest_funding(
    db: sqlite3.Connection, symbols: Iterable[str], number: int = 1
) -> list[FundingRate]:
    """The newest `number` rates of each of `symbols`, newest first; a seek a symbol."""
    if not has_table(db, "funding"):
        return []
    query = f"SELECT {_NAMES} FROM funding WHERE symbol = ? ORDER BY time_ms DESC LIMIT ?"
    return [FundingRate(*row) for s in symbols for row in db.execute(query, (s, number))]


def save_funding(db: sqlite3.Connection, rates: Iterable[FundingRate]) -> Compared:
    """Stores what is new of `rates`, inside the caller's transaction.

    What contradicts is left as it was: it is for the caller to tell.
    """
    found = compare_funding(db, rates)
    db.executemany("INSERT INTO funding VALUES (?, ?, ?, ?)", found.fresh)
    db.executemany(
        "UPDATE funding SET mark_price = ?4 WHERE symbol = ?1 AND time_ms = ?2", found.priced
    )
    return found


def compare_funding(db: sqlite3.Connection, rates: Iterable[FundingRate]) -> Compared:
    """What of `rates`, of any symbols, is new, known or contradicts what is held."""
    found = Compared()
    for symbol, of_symbol in groupby(sorted(rates, key=_by_symbol), key=lambda r: r.symbol):
        came = list(of_symbol)
        held = read_funding(db, [symbol], came[0].time_ms - SAME_MS, came[-1].time_ms + SAME_MS + 1)
        found.add(compare_rates(came, held))
    return found


def read_spans(db: sqlite3.Connection) -> dict[str, FundingSpan]:
    """By symbol; none in a lake that was made before there were any."""
    if not has_table(db, "funding"):
        return {}
    rows = db.execute("SELECT symbol, first_ms, until_ms FROM funding_spans")
    return {row[0]: FundingSpan(*row) for row in rows}


def save_spans(db: sqlite3.Connection, spans: Iterable[FundingSpan]) -> None:
    """Replaces those of these symbols, inside the caller's transaction."""
    db.executemany("INSERT OR REPLACE INTO funding_spans VALUES (?, ?, ?)", spans)


def _by_symbol(rate: FundingRate) -> tuple[str, int]:
    return rate.symbol, rate.time_ms
