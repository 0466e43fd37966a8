"""What commands write: for people as well as the terminal can; data as UTF-8 everywhere."""

import contextlib
import os
import sys
import tempfile
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH = 78
WIDTH_WITHOUT_TERMINAL = 160
"""Columns of a table that goes to a file or a pipe."""


def tolerate_terminals() -> None:
    """From now on what the terminal's encoding cannot show is replaced, and ends nothing."""
    for stream in (sys.stdout, sys.stderr):
        _reconfigure(stream, errors="replace")


def write_utf8() -> None:
    """From now on standard output is UTF-8, whatever the terminal's encoding is: for data."""
    _reconfigure(sys.stdout, encoding="utf-8", errors="strict")


def new_console() -> "Console":
    """Standard output for tables: as wide as the terminal, or WIDTH_WITHOUT_TERMINAL columns."""
    console = plain_console()
    return console if console.is_terminal else plain_console(width=WIDTH_WITHOUT_TERMINAL)


def plain_console(file: TextIO | None = None, width: int | None = None) -> "Console":
    """What is written is written as it is: a rule may be called `[b]`, and a folder `[/b]`."""
    from rich.console import Console  # noqa: PLC0415 slow to import

    return Console(file=file, width=width, highlight=False, markup=False, emoji=False)


def wrapped(text: str) -> list[str]:
    """Lines of at most 78 columns, the later ones indented."""
    return textwrap.wrap(text, _WIDTH, subsequent_indent="  ")


def lines_to_file(lines: Iterable[str], path: Path) -> int:
    """Writes lines, and counts them.

    They are written beside `path` and renamed, so that a half-written file is never seen under
    it; what is there already and is no file (a device, a pipe) is written to.
    """
    if path.exists() and not path.is_file():
        with path.open("w", encoding="utf-8") as stream:
            return _write(lines, stream)
    with _replacing(path) as descriptor, os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        return _write(lines, stream)


def bytes_to_file(data: bytes, path: Path) -> None:
    """Writes a file as a whole, in the same way."""
    with _replacing(path) as descriptor, os.fdopen(descriptor, "wb") as stream:
        stream.write(data)


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[int]:
    """The descriptor of a new file beside `path`, which takes its place at the end."""
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        yield descriptor
        Path(beside).chmod(0o666 & ~_umask())
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def lines_to_stdout(lines: Iterable[str]) -> None:
    """Writes lines as UTF-8; a reader that goes away has what it wanted."""
    write_utf8()
    try:
        _write(lines, sys.stdout)
        sys.stdout.flush()
    except BrokenPipeError:
        # Nothing may be flushed into the pipe at exit.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write(lines: Iterable[str], stream: TextIO) -> int:
    count = 0
    for line in lines:
        stream.write(line)
        count += 1
    return count


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _reconfigure(stream: TextIO, **how: str) -> None:
    change = getattr(stream, "reconfigure", None)  # what a test or a host put there may have none
    if change is not None:
        change(**how)
