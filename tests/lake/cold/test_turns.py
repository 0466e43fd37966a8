"""Who puts a file in place, and who takes it from the disk, hold the lock of its folder."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from spreadlake.lake.parquet import write_durably
from spreadlake.lake.parts import write_parts
from spreadlake.locks import folder_lock

ROWS = pl.DataFrame({"time": [1, 2]})


def is_locked(folder: Path) -> bool:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def whole(path: Path) -> None:
    write_durably(ROWS, path)


def in_parts(path: Path) -> None:
    assert list(write_parts([ROWS], path))


@pytest.mark.parametrize("write", [whole, in_parts])
def test_a_file_is_put_in_place_under_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], None]
) -> None:
    path, seen = tmp_path / "bars" / "date=2026-11-01" / "day.parquet", list[bool]()
    replace = Path.replace

    def looked(beside: Path, target: Path) -> Path:
        seen.append(is_locked(target.parent))
        return replace(beside, target)

    monkeypatch.setattr(Path, "replace", looked)
    write(path)
    assert seen == [True]
    assert not is_locked(path.parent)


def test_a_folder_that_was_just_removed_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last file of it has left the disk since the writer made sure of it."""
    path = tmp_path / "bars" / "date=2026-11-01" / "day.parquet"
    opened, left = os.open, [1]

    def open_after_removal(name: Any, *arguments: Any) -> int:
        if name == path.parent and left and arguments[0] & os.O_DIRECTORY:
            left.pop()
            path.parent.rmdir()
        return opened(name, *arguments)

    monkeypatch.setattr(os, "open", open_after_removal)
    write_durably(ROWS, path)
    assert not left
    assert pl.read_parquet(path).height == 2


def test_a_folder_made_anew_while_its_lock_was_waited_for_is_locked_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, flock, left = tmp_path / "date=2026-11-01", fcntl.flock, [1]
    folder.mkdir()

    def lock(handle: int, kind: int) -> None:
        if left:
            left.pop()
            folder.rmdir()
            folder.mkdir()
        flock(handle, kind)

    monkeypatch.setattr(fcntl, "flock", lock)
    with folder_lock(folder) as locked:
        monkeypatch.undo()
        assert locked
        assert is_locked(folder)
