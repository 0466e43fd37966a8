"""What is sent to workers and back, as bytes: a lake goes as its place, which each opens itself.

So a lake in object storage is read from there by each worker, and nothing of it is sent.
"""

import io
import pickle
from typing import Any

from spreadlake.errors import LakeError
from spreadlake.lake import Lake
from spreadlake.lake.places import lake_at

_opened: dict[str, Lake] = {}


def packed(value: object, lake: Lake, place: str) -> bytes:
    """`value` pickled, with `place` wherever `lake` is in it."""
    file = io.BytesIO()
    _Pickler(file, lake, place).dump(value)
    return file.getvalue()


def unpacked(data: bytes) -> Any:
    """The inverse, on any machine that sees the place; LakeError where it has no lake."""
    return _Unpickler(io.BytesIO(data)).load()


def opened(place: str) -> Lake:
    """The lake of a place as it is now; later values have it as well. LakeError without one."""
    lake = lake_at(place)
    if not lake.analytics_db.exists():
        raise LakeError(
            f"there is no {lake.analytics_db.name}; mount the folder there under the same path"
        )
    _opened[place] = lake
    return lake


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, lake: Lake, place: str) -> None:
        super().__init__(file)
        self._lake, self._place = lake, place

    def persistent_id(self, value: object) -> str | None:
        return self._place if isinstance(value, Lake) and value == self._lake else None


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, place: str) -> Lake:
        return _opened.get(place) or opened(place)
