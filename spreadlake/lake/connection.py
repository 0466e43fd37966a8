"""A connection whose errors say which database they are of."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

Doing = Literal["read", "written"]
T = TypeVar("T")


class LakeConnection(sqlite3.Connection):
    """A connection to the database at `path`, which is being `doing`.

    An error of a statement carries both (`error.database`, `error.doing`), so that whoever tells
    it, far from where it arose, names the right file. One that comes only while rows are fetched
    does not: a cursor that named its errors would be kept by them, and with it the open file.
    """

    path: Path
    doing: Doing = "written"

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        """As that of sqlite3, with names in its errors."""
        return self._naming(super().execute, *arguments)

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        """As that of sqlite3, with names in its errors."""
        return self._naming(super().executemany, *arguments)

    def _naming(self, work: Callable[..., T], *arguments: Any) -> T:
        try:
            return work(*arguments)
        except sqlite3.Error as error:
            error.database, error.doing = self.path, self.doing  # type: ignore[attr-defined]
            raise
