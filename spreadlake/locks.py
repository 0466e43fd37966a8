"""Locks on files, which end with the process that holds them, however it ends."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def try_lock(file: IO[bytes] | IO[str] | int, *, shared: bool = False) -> bool:
    """Locks a file or folder for as long as it is open; False if another process has locked it.

    Those that lock it `shared` do so beside each other.
    OSError where the file system has no locks (ENOLCK, EOPNOTSUPP), which is nobody in the way.
    """
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def folder_lock(folder: Path) -> Iterator[bool]:
    """Holds the lock on a folder, which is waited for; FileNotFoundError where there is none.

    For the moment in which a file of it is put in place, or is looked at and removed: so nobody
    removes a file that another process has just put there. A folder that is removed while its lock
    is waited for, and made anew by another, is locked anew. False, without a lock, where the file
    system locks no folders (NFS): then nobody gets it, and nobody may remove such a file.
    """
    while True:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            locked = _lock_folder(handle)
            if os.path.samestat(os.fstat(handle), folder.stat()):
                yield locked
                return
        finally:
            os.close(handle)


def _lock_folder(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno in (errno.EBADF, errno.ENOLCK, errno.EOPNOTSUPP):
            return False
        raise
    return True
