"""What the uploader says of object storage, in words. Pure."""

from collections.abc import Mapping
from typing import Any

from spreadlake.lake.keeping import day_name
from spreadlake.words import count, size


def uploads_in_words(upload: Mapping[str, Any]) -> str:
    """How much is in the bucket, and what waits to get there."""
    said = f"{count(upload.get('objects', 0), 'file')} ({size(upload.get('bytes', 0))}) are in "
    said += str(upload.get("address", "object storage"))
    if waiting := upload.get("waiting", 0):
        said += f", {count(waiting, 'file')} ({size(upload.get('waiting_bytes', 0))}) wait"
        if (oldest := upload.get("oldest")) is not None:
            said += f", the oldest of {day_name(int(oldest) - 1)}"
    return said
