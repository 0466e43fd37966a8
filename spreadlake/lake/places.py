"""Where a lake is that is to be read: a folder of this machine, or a place in object storage."""

import os
from pathlib import Path

from spreadlake.lake.layout import Lake


def lake_at(place: str | os.PathLike[str]) -> Lake:
    """The lake in a folder, of which nothing is asked here, or at `s3://bucket/prefix`.

    LakeError where there is no such place, or it has no lake, or is not to be read.
    """
    text = os.fspath(place)
    if "://" not in text:
        return Lake(Path(text))
    from spreadlake.lake.cold.opening import remote_lake  # noqa: PLC0415 few lakes are there

    return remote_lake(text)


def place_of(lake: Lake) -> str:
    """The inverse of `lake_at`, as other processes and machines find it: folders from the root."""
    from spreadlake.lake.cold.opening import address_of  # noqa: PLC0415

    return address_of(lake) or str(lake.root.resolve())
