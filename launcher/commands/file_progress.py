"""How far a command is with the files it was given: a bar on a terminal, nothing otherwise."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importer.reader import OnBytes
    from importer.run import OnFile
    from spreadlake.binance.dumps import DumpFile


@contextmanager
def file_progress() -> Iterator["OnFile"]:
    """Yields what is to be told of each file, and then of the bytes that were read of it."""
    from rich.console import Console  # noqa: PLC0415 slow to import
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(file=sys.stderr)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("", total=None)

        def on_file(dump: "DumpFile", doing: str) -> "OnBytes":
            total = dump.path.stat().st_size
            bar.reset(task, total=total, description=f"{doing} {dump.path.name}")
            return lambda position: bar.update(task, completed=position)

        yield on_file
