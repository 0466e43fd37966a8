"""What kind of trades of which exchange a lake holds: written down once, and never mixed."""

import sqlite3
from typing import Literal

from spreadlake.binance.hosts import VENUE_WORDS
from spreadlake.errors import LakeError
from spreadlake.lake.databases.connections import atomic, open_reader
from spreadlake.lake.layout import Lake

Origin = Literal["exchange", "demo"]

_ORIGIN_WORDS = {"exchange": "trades of a real exchange", "demo": "trades of the simulated market"}


def claim(
    db: sqlite3.Connection, lake: Lake, kind: str, origin: Origin, venue: str | None = None
) -> None:
    """Marks a new lake as holding `kind` from `origin`; LakeError if it holds others already.

    `db` is the writer's connection to `ticks.db`. `venue` is the exchange, as `venue_of` tells it;
    None says nothing of it, and a lake without one takes the first that it is told.
    """
    _refuse_other(db, lake, kind, origin, venue)
    facts = {"trade_kind": kind, "origin": origin, "venue": venue}
    with atomic(db):
        db.executemany(
            "INSERT OR IGNORE INTO meta VALUES (?, ?)",
            [(key, value) for key, value in facts.items() if value is not None],
        )


def check_claim(lake: Lake, kind: str, origin: Origin, venue: str | None = None) -> None:
    """LakeError if the lake is there and `claim` would refuse it; changes nothing."""
    if not lake.ticks_db.exists():
        return
    db = open_reader(lake.ticks_db)
    try:
        if db.execute("PRAGMA user_version").fetchone()[0]:  # 0: its tables are yet to be made
            _refuse_other(db, lake, kind, origin, venue)
    finally:
        db.close()


def _refuse_other(
    db: sqlite3.Connection, lake: Lake, kind: str, origin: Origin, venue: str | None
) -> None:
    held = dict(db.execute("SELECT key, value FROM meta").fetchall())
    if held.get("trade_kind", kind) != kind:
        raise LakeError(
            f"lake {lake.root} holds {held['trade_kind']} ids and cannot take {kind} ids: "
            "they count differently; choose another folder with --data"
        )
    if held.get("origin", origin) != origin:
        raise LakeError(
            f"lake {lake.root} is for {_ORIGIN_WORDS[held['origin']]} and cannot take "
            f"{_ORIGIN_WORDS[origin]}; choose another folder with --data"
        )
    if venue is not None and held.get("venue", venue) != venue:
        raise LakeError(
            f"lake {lake.root} holds trades of {_named(held['venue'])} and cannot take trades of "
            f"{_named(venue)}: their ids count apart; choose another folder with --data, or the "
            "addresses of the other exchange (exchange.ws_url, exchange.rest_url)"
        )


def _named(venue: str) -> str:
    return VENUE_WORDS.get(venue, venue)
