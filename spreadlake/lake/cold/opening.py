"""A lake of which this machine has nothing: its catalogue is fetched, and all files are remote."""

import hashlib
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from spreadlake.errors import DamagedFileError, LakeError, MissingFileError, ObjectStorageError
from spreadlake.lake.analytics.reach import read_reach
from spreadlake.lake.cold.address import ColdAddress, is_cold_address
from spreadlake.lake.cold.kept import OPENED, kept_lake, no_catalogue
from spreadlake.lake.databases.connections import open_reader
from spreadlake.lake.databases.meta import read_meta
from spreadlake.lake.layout import Lake

_NEEDED = {"cold.db", "ticks.db", "analytics.db"}
_SQLITE = b"SQLite format 3\0"


def remote_lake(text: str) -> Lake:
    """The lake at `s3://bucket/prefix` as its uploader described it last, to be read only.

    LakeError where there is none, or it is not to be read.
    """
    if not is_cold_address(text):
        shown = f"{text.partition('://')[0]}://…" if "@" in text else text
        raise LakeError(
            f"{shown} is neither a folder of this machine nor an address s3://bucket/prefix"
        )
    try:
        address = ColdAddress.parse(text)
    except ValueError as error:
        raise LakeError(str(error)) from None
    files = _catalogue(address)
    from spreadlake.lake.cold.catalogue import digest_of  # noqa: PLC0415 with polars
    from spreadlake.lake.cold.reading import server  # noqa: PLC0415 with polars

    of = hashlib.blake2b(f"{server()} {address.text}".encode(), digest_size=8).hexdigest()
    return kept_lake(files, address, f"lake-{of}", digest_of(files).hex())


def reach_of(lake: Lake) -> dict[str, datetime]:
    """Where the trades and the bars of each timeframe end that such a lake has."""
    from spreadlake.lake.cold.catalogue import REACH  # noqa: PLC0415 with polars

    with closing(open_reader(lake.cold_db)) as db:
        trades = read_meta(db, REACH)
    ends = {} if trades is None else {"trades": int(trades) // 1000}
    if lake.analytics_db.exists():
        with closing(open_reader(lake.analytics_db)) as db:
            ends.update(read_reach(db))
    return {of: datetime.fromtimestamp(end, UTC) for of, end in ends.items()}


def address_of(lake: Lake) -> str | None:
    """The address that such a lake was opened at; None for a lake in a folder of its own."""
    if not lake.cold_db.exists():
        return None
    with closing(open_reader(lake.cold_db)) as db:
        return read_meta(db, OPENED)


def _catalogue(address: ColdAddress) -> dict[str, bytes]:
    from spreadlake.lake.cold.catalogue import CATALOGUE  # noqa: PLC0415
    from spreadlake.lake.cold.reading import ask_object, server  # noqa: PLC0415

    try:
        rows = ask_object(
            address.url(CATALOGUE), Path(CATALOGUE), lambda file: file.collect().rows()
        )
    except MissingFileError as error:
        if "NoSuchBucket" in error.reason:
            raise LakeError(f"there is no bucket {address.bucket} on {server()}") from None
        raise LakeError(
            f"{address.text} has no lake: there is no {CATALOGUE}, which is written with the first "
            "days that are uploaded; name the bucket and the prefix as storage.cold has them"
        ) from None
    except ObjectStorageError:
        raise
    except DamagedFileError as error:
        raise no_catalogue(address, error.reason) from None
    return files_of(rows, address)


def files_of(rows: list[tuple[Any, ...]], address: ColdAddress) -> dict[str, bytes]:
    """The databases in the rows of a catalogue; LakeError where it is none."""
    try:
        found = {str(name): bytes(content) for name, content in rows}
    except (TypeError, ValueError):
        raise no_catalogue(address, "it has other columns") from None
    if why := _fault(found):
        raise no_catalogue(address, why)
    return {name: content for name, content in found.items() if name in _NEEDED}


def _fault(found: dict[str, bytes]) -> str:
    """Why what was found is no catalogue; empty where it is one."""
    from spreadlake.lake.cold.catalogue import DIGEST, digest_of  # noqa: PLC0415 with polars

    files = {name: content for name, content in found.items() if name != DIGEST}
    if "cold.db" not in files or len(_NEEDED & files.keys()) == 1:
        return "it lacks what is known of a lake"
    if DIGEST in found and found[DIGEST] != digest_of(files):
        return "it was damaged since it was written"
    if not all(content.startswith(_SQLITE) for content in files.values()):
        return "it holds what is no database"
    return ""
