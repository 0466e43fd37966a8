"""The lake that `spreadlake.sample()` gives: it comes with the package, and is unpacked once."""

import hashlib
import os
import tempfile
import zipfile
from importlib import resources
from io import BytesIO
from pathlib import Path

from spreadlake.caches import cache_folder
from spreadlake.errors import LakeError

_MARK = "sample"
"""The file in such a lake that says which one it is."""


def sample_folder(path: str | os.PathLike[str] | None = None) -> Path:
    """The folder of the sample lake, made there unless it is there already.

    None: in the user's cache. Whoever makes it at the same time gets the same: it is there as a
    whole or not at all. What else a folder holds is never touched: LakeError where it is no sample
    lake, or one of another version, or cannot be written.
    """
    packed = resources.files("spreadlake.research").joinpath("sample.zip").read_bytes()
    name = hashlib.blake2b(packed, digest_size=6).hexdigest()
    with zipfile.ZipFile(BytesIO(packed)) as archive:
        if path is not None:
            return _made(Path(path), archive, name)
        try:
            return _made(cache_folder() / f"sample-{name}", archive, name)
        except LakeError:
            user = os.getuid() if hasattr(os, "getuid") else 0
            other = Path(tempfile.gettempdir()) / f"spreadlake-{user}"
            return _made(other / f"sample-{name}", archive, name)


def _made(folder: Path, archive: zipfile.ZipFile, name: str) -> Path:
    if _is_whole(folder, archive, name):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside the folder, so that a rename puts it in its place.
        with tempfile.TemporaryDirectory(prefix=".sample-", dir=folder.parent) as beside:
            _put(folder, archive, name, Path(beside))
    except OSError as error:
        raise LakeError(
            f"the sample lake cannot be made in {folder}: {error.strerror}; name a folder that "
            "this user may write"
        ) from error
    return folder


def _put(folder: Path, archive: zipfile.ZipFile, name: str, beside: Path) -> None:
    new = beside / "new"
    archive.extractall(new)
    (new / _MARK).write_text(name)
    if _mark(folder) == name:
        _restore(folder, archive, new)
        return
    try:
        new.rename(folder)  # over an empty folder as well
    except OSError:
        if _is_whole(folder, archive, name):  # another process was first
            return
        if folder.exists():
            raise LakeError(
                f"{folder} holds something else; name an empty folder for the sample lake, or "
                "one that is not there"
            ) from None
        raise


def _restore(folder: Path, archive: zipfile.ZipFile, new: Path) -> None:
    """Puts back the files that somebody deleted; what was added or changed stays."""
    for one in archive.namelist():
        if not (folder / one).exists():
            (folder / one).parent.mkdir(parents=True, exist_ok=True)
            (new / one).rename(folder / one)


def _is_whole(folder: Path, archive: zipfile.ZipFile, name: str) -> bool:
    return _mark(folder) == name and all((folder / one).is_file() for one in archive.namelist())


def _mark(folder: Path) -> str | None:
    try:
        return (folder / _MARK).read_text()
    except (OSError, UnicodeDecodeError):
        return None
