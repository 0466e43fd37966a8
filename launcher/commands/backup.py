"""`spreadlake backup`: a copy of a lake, while its services write it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from launcher.commands.options import DataOption, parse_folder_to_write
from spreadlake.lake import Lake
from spreadlake.times import iso_utc
from spreadlake.words import count, size

if TYPE_CHECKING:
    from spreadlake.lake.backup.run import BackUp

_TELL_EVERY = 10.0  # seconds


def backup(
    to: Annotated[
        Path,
        typer.Option(
            "--to",
            metavar="DIR",
            parser=parse_folder_to_write,
            help="Folder of the back-up: empty, or one of before.",
        ),
    ],
    data: DataOption = Path("data"),
) -> None:
    """Copy the lake as it is now; again, only what is new.

    Running services do not matter. A back-up is a lake: it can be read as it is, and is restored by
    a back-up of it to where the lake is to be.
    """
    from spreadlake.lake.backup.run import back_up  # noqa: PLC0415 slow to import

    try:
        done = back_up(Lake(data), Lake(to), _patience())
    except KeyboardInterrupt:
        typer.echo("interrupted: the next back-up to this folder goes on from here", err=True)
        raise typer.Exit(130) from None
    _print(done, data, to)


def _patience() -> Callable[[], None]:
    """Says now and then that it is still at it."""
    told, folders = time.monotonic(), 0

    def look() -> None:
        nonlocal told, folders
        folders += 1
        if time.monotonic() - told > _TELL_EVERY:
            told = time.monotonic()
            typer.echo(f"looking into the folders, {folders:,} so far …", err=True)

    return look


def _print(done: "BackUp", data: Path, to: Path) -> None:
    until = (
        "no trades" if done.until_ms is None else f"trades up to {iso_utc(done.until_ms // 1000)}"
    )
    typer.echo(
        f"backed up {data} to {to}: {until}; {count(done.files, 'file')} copied "
        f"({size(done.bytes)}), {done.unchanged:,} unchanged, {done.removed:,} removed; "
        f"{', '.join(sorted(done.databases))}"
    )
    if done.missing:
        typer.echo(
            f"files of {count(done.missing, 'hour')} that the lake knows of are neither in it nor "
            "in the back-up; spreadlake status names them",
            err=True,
        )
