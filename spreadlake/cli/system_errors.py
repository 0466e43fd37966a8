"""What the operating system refuses, in words that say what to do."""

import errno
import sqlite3

__all__ = ["explain_system_error"]

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
    errno.EIO: "the disk cannot be read or written; look at the system's log",
}

_SQLITE_REMEDIES = {
    "full": "the disk is full; free some room and start again",
    "readonly": "it may not be written by this user; change the owner or choose another folder",
    "unable to open": "it cannot be opened by this user; change the owner or choose another folder",
    "locked": "another process keeps it locked; end that one",
    "disk i/o": "the disk cannot be read or written; look at the system's log",
}


def explain_system_error(error: OSError | sqlite3.OperationalError) -> str | None:
    """One line for a person; None for an error that no user could mend."""
    if isinstance(error, OSError):
        remedy = _REMEDIES.get(error.errno or 0)
        if remedy is None:
            return None
        return f"{error.filename}: {remedy}" if error.filename else remedy
    text = str(error).lower()
    for part, remedy in _SQLITE_REMEDIES.items():
        if part in text:
            return f"the lake's database: {remedy} ({error})"
    return None
