"""The tables of `cold.db`, and the steps from one version of it to the next.

`objects`: files of the lake that are in the bucket, by their path in the lake; `sha256` in hex;
`mtime_ns` and `inode` are of the local file that was uploaded, so that one that was written since
is known; `local` is 0 once it has left the disk. `meta`: `address`, and `lake`, an id of this lake
that the bucket has as well, so that two lakes do not write to one place.
"""

_COLD_1 = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE objects(
  path TEXT PRIMARY KEY, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL,
  mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, uploaded_ms INTEGER NOT NULL,
  local INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE counters(
  name TEXT NOT NULL, symbol TEXT NOT NULL DEFAULT '', value REAL NOT NULL,
  PRIMARY KEY(name, symbol)) WITHOUT ROWID;
CREATE TABLE service_status(
  key TEXT PRIMARY KEY, value TEXT NOT NULL, updated_ms INTEGER NOT NULL) WITHOUT ROWID;
"""

COLD_STEPS = [_COLD_1]
