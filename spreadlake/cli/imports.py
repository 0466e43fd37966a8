"""`spreadlake import`: Binance's public dump files into a lake."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spreadlake.cli.hints import command_name
from spreadlake.cli.options import DataOption
from spreadlake.lake import Lake
from spreadlake.service import StopSignal

if TYPE_CHECKING:
    from spreadlake.importer import Imported
    from spreadlake.importer.names import DumpFile
    from spreadlake.importer.reader import OnBytes
    from spreadlake.importer.run import OnFile

__all__ = ["import_files"]


def import_files(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE", help="aggTrades or 1m klines, .zip or .csv, a day or a month each."
        ),
    ],
    data: DataOption = Path("data"),
) -> None:
    """Import Binance's public dump files.

    What is there already stays; after an interruption the same command goes on.
    """
    from spreadlake.importer import StoppedError, import_dumps  # noqa: PLC0415 slow to import

    stop = StopSignal()
    done = []
    try:
        with _progress() as on_file:
            for imported in import_dumps(Lake(data), files, on_file, stop.is_set):
                typer.echo(_line(imported))
                done.append(imported)
    except StoppedError:
        typer.echo("interrupted; the same command goes on from here", err=True)
        raise typer.Exit(130) from None
    typer.echo(_summary(done, data))


def _line(imported: "Imported") -> str:
    what = "trades" if imported.dump.kind == "aggTrades" else "klines"
    known = imported.records - imported.fresh
    text = f"{imported.dump.path.name}: {imported.fresh:,} {what}"
    return f"{text}; {known:,} were there already" if known else text


def _summary(done: list["Imported"], data: Path) -> str:
    if not any(imported.fresh for imported in done):
        return "nothing new: all of it was there already"
    return (
        "the analytics job takes this in when it runs next; "
        "for more than a few days it is faster to compute everything again:\n"
        f"  {command_name()} analyse --data {data} --rebuild"
    )


@contextmanager
def _progress() -> Iterator["OnFile"]:
    """A bar for the file in hand where there is a terminal, nothing otherwise."""
    from rich.console import Console  # noqa: PLC0415 slow to import
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(file=sys.stderr)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
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
