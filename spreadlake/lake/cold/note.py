"""That a lake has files in a bucket, told beside their record: so that a lost record is noticed.

Without `cold.db` a lake looks as if it never had a cold part, and readers would find less, without
a word.
"""

import json
import os
from contextlib import closing
from pathlib import Path

from spreadlake.errors import LakeError
from spreadlake.lake.databases.connections import open_reader
from spreadlake.lake.databases.meta import has_table, read_meta
from spreadlake.lake.layout import Lake

_ABOUT = "Days that are not here are in this bucket; what is there is on record in cold.db."


def write_note(lake: Lake, name: str, address: str) -> None:
    """Says that the place is this lake's, by its name in `cold.db` and in the bucket.

    Durable, and for whoever may read `cold.db`. OSError where the disk does not take it.
    """
    if _read(lake.cold_json) == (name, address):
        return
    from spreadlake.lake.parquet import sync_folder  # noqa: PLC0415 with polars; readers need none

    text = json.dumps({"about": _ABOUT, "address": address, "lake": name}, indent=1) + "\n"
    beside = lake.cold_json.with_suffix(".tmp")
    beside.unlink(missing_ok=True)  # what another user left could not be written over
    try:
        with beside.open("w", encoding="utf-8") as file:
            record = lake.cold_db.stat()
            if os.geteuid() == 0:
                os.fchown(file.fileno(), record.st_uid, record.st_gid)
            os.fchmod(file.fileno(), record.st_mode & 0o666)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(lake.cold_json)
    finally:
        beside.unlink(missing_ok=True)
    sync_folder(lake.root)


def check_record(lake: Lake) -> None:
    """LakeError where the record of what is in the bucket was lost."""
    told = _read(lake.cold_json)
    if told is not None:
        _require_same(lake, told, _name_on_record(lake))


def check_name(lake: Lake, name: str) -> None:
    """The same, for whoever knows the name that is or will be on record."""
    told = _read(lake.cold_json)
    if told is not None:
        _require_same(lake, told, name)


def _require_same(lake: Lake, told: tuple[str, str], name: str | None) -> None:
    if told[0] != name:
        raise LakeError(
            f"{lake.cold_db} was lost, and days of this lake may be in {told[1]} alone: put it "
            "back; or stop the services and make it anew with spreadlake upload --recover; or, "
            f"where nothing of them is wanted, delete {lake.cold_json}"
        )


def _name_on_record(lake: Lake) -> str | None:
    if not lake.cold_db.exists():
        return None
    with closing(open_reader(lake.cold_db)) as db:
        return read_meta(db, "lake") if has_table(db, "meta") else None


def _read(path: Path) -> tuple[str, str] | None:
    try:
        told = json.loads(path.read_bytes())
        return str(told["lake"]), str(told["address"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise LakeError(
            f"{path} is not as the uploader wrote it ({error}); delete it, and start the uploader"
        ) from None
