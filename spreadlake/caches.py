"""Where a user's files are that can be made again."""

import os
from pathlib import Path

from spreadlake.errors import LakeError


def cache_folder() -> Path:
    """`spreadlake` in the user's cache; LakeError for a user without a home."""
    named = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(named) if named else Path("~/.cache").expanduser()) / "spreadlake"
    except RuntimeError as error:
        raise LakeError(f"there is no folder of this user: {error}") from error
