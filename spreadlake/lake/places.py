"""Where a lake is that is to be read: a folder of this machine, or a place in object storage."""

import os
from pathlib import Path

from spreadlake.lake.layout import Lake


def lake_at(place: str | os.PathLike[str]) -> Lake:
    """The lake in a folder, or at `s3://bucket/prefix`.

    LakeError where there is no such place in a bucket, or it has no lake, or is not to be read; of
    a folder where the record of what it has in a bucket was lost, and nothing else is asked.
    """
    text = os.fspath(place)
    if "://" not in text:
        lake = Lake(Path(text))
        if os.path.lexists(lake.cold_json):
            from spreadlake.lake.cold.note import check_record  # noqa: PLC0415 few have one

            check_record(lake)
        return lake
    from spreadlake.lake.cold.opening import remote_lake  # noqa: PLC0415 few lakes are there

    return remote_lake(text)


def place_of(lake: Lake) -> str:
    """The inverse of `lake_at`, as other processes and machines find it: folders from the root."""
    from spreadlake.lake.cold.opening import address_of  # noqa: PLC0415

    return address_of(lake) or str(lake.root.resolve())
