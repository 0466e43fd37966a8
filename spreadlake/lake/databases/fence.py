"""The fence of a database that several processes may want to write: only the newest of them may.

Whoever takes over raises a token in the database. Every transaction of a writer looks whether its
own still is the one: a writer that was thought dead, and only slept, writes nothing any more.
"""

import sqlite3

from spreadlake.errors import LakeError
from spreadlake.lake.databases.connections import atomic
from spreadlake.lake.databases.meta import read_meta, write_meta

_KEY = "writer_token"


class FencedError(LakeError):
    """Another writer has taken over."""


def read_token(db: sqlite3.Connection) -> int:
    """The token of whoever took over last; 0 where nobody ever did."""
    return int(read_meta(db, _KEY) or 0)


def take_over(db: sqlite3.Connection, token: int) -> None:
    """Lets only the holder of `token` write, by `db`; FencedError where another has taken over.

    One with the same token is another one: who gives them out may forget, and give one out twice.
    """
    with atomic(db):
        held = read_token(db)
        if held >= token:
            raise FencedError(_said(token, held))
        write_meta(db, _KEY, str(token))

    def check() -> None:
        if (now := read_token(db)) != token:
            raise FencedError(_said(token, now))

    db.fence = check  # type: ignore[attr-defined]


def _said(token: int, held: int) -> str:
    return f"another store writes the lake now (token {held}, ours is {token})"
