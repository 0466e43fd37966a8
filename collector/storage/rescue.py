"""What is in a database whose file was deleted or moved under its writer, in a new file.

As long as it is open, such a file can be read as before; when it is closed, it is gone.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from spreadlake.lake.databases.presence import Presence


def rescue(db: sqlite3.Connection, path: Path, presence: Presence) -> Path:
    """Writes all that `db` holds to a new file at `path`, closes it, and returns the new file.

    Where another file is at `path` by now, that one stays, and the new one is put beside it.
    """
    target = path
    if presence.replaced:
        target = path.with_name(f"{path.stem}-kept-{os.getpid()}{path.suffix}")
    beside = target.with_name(f"{target.name}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside.unlink(missing_ok=True)
    with closing(sqlite3.connect(beside)) as copy:
        db.backup(copy)
    # Its end takes the log along by name: not that of the new file.
    db.close()
    if target == path:
        for suffix in ("-wal", "-shm"):
            path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)
    beside.replace(target)
    return target
