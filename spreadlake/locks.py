"""Locks on files, which end with the process that holds them, however it ends."""

import fcntl
from typing import IO


def try_lock(file: IO[bytes] | IO[str], *, shared: bool = False) -> bool:
    """Locks a file for as long as it is open; False if another process has locked it.

    Those that lock it `shared` do so beside each other.
    OSError where the file system has no locks (ENOLCK, EOPNOTSUPP), which is nobody in the way.
    """
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
