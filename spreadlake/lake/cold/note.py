"""That a lake has files in a bucket, told beside their record: so that a lost record is noticed.

Without `cold.db` a lake looks as if it never had a cold part, and readers would find less, without
a word.
"""

import json
from contextlib import closing
from pathlib import Path

from spreadlake.errors import LakeError
from spreadlake.lake.databases.connections import open_reader
from spreadlake.lake.databases.meta import has_table, read_meta
from spreadlake.lake.layout import Lake

_ABOUT = "Days that are not here are in this bucket; what is there is on record in cold.db."


def write_note(lake: Lake, name: str, address: str) -> None:
    """Says that the place is this lake's, by its name in `cold.db` and in the bucket."""
    text = json.dumps({"about": _ABOUT, "address": address, "lake": name}, indent=1) + "\n"
    if _read(lake.cold_json) != (name, address):
        beside = lake.cold_json.with_suffix(".new")
        beside.write_text(text, "utf-8")
        beside.replace(lake.cold_json)


def check_record(lake: Lake) -> None:
    """LakeError where the record of what is in the bucket was lost."""
    told = _read(lake.cold_json)
    if told is None:
        return
    name, address = told
    if _name_on_record(lake) != name:
        raise LakeError(
            f"{lake.cold_db} was lost, and days of this lake are in {address} alone: put it back; "
            "or stop the services and make it anew with spreadlake upload --recover; or, where "
            f"nothing of them is wanted, delete {lake.cold_json}"
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
