"""What the operating system refuses, in words that say what to do."""

import errno
import sqlite3
from pathlib import Path

from spreadlake.lake.databases.errors import explain, passes

_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some room and start again",
    errno.EDQUOT: "the disk quota is used up; free some room and start again",
    errno.EACCES: "this user may not do that; change the owner or choose another folder",
    errno.EPERM: "this user may not do that; change the owner or choose another folder",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n)",
    errno.ENOENT: "it is not there",
    errno.EISDIR: "it is a folder, not a file",
    errno.ENOTDIR: "a part of this path is a file, not a folder",
    errno.EEXIST: "it is there already, as something else",
    errno.ENOLCK: "the file system cannot lock files; choose a folder on a disk of this machine",
    errno.EIO: "the disk cannot be read or written; look at the system's log",
}


def explain_system_error(error: OSError | sqlite3.Error) -> str | None:
    """One line for a person; None for an error that no user could mend."""
    if isinstance(error, OSError):
        remedy = _REMEDIES.get(error.errno or 0)
        if remedy is None:
            return None
        return f"{error.filename}: {remedy}" if error.filename else remedy
    # A mistake of ours has no database: its traceback says more than any remedy.
    if not (passes(error) or hasattr(error, "database")):
        return None
    return str(explain(error, Path("the lake's database")))


def is_for_good(error: OSError | sqlite3.Error) -> bool:
    """Whether nothing but a user's change can help: a database that is not as it was left."""
    return isinstance(error, sqlite3.Error) and not passes(error)
