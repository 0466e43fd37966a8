"""`spreadlake verify`: the lake against Binance's public dumps, after the fact."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from launcher.commands.file_progress import file_progress
from launcher.commands.options import PlaceOption
from launcher.commands.output import lines_to_stdout
from launcher.commands.places import is_remote, lake_to_read
from spreadlake.called import command_name
from spreadlake.service import StopSignal

if TYPE_CHECKING:
    from importer.verify import Verified


def _form(text: str) -> str:
    if text not in ("table", "json"):
        raise typer.BadParameter(f"{text!r} is neither table nor json")
    return text


def verify(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE", help="aggTrades, .zip, .csv or .csv.gz, a day or a month each."
        ),
    ],
    data: PlaceOption = "data",
    captured: Annotated[
        bool,
        typer.Option(
            "--captured",
            help="Trades before the lake's first one of a symbol, and after its last one, are told "
            "and are no difference.",
        ),
    ] = False,
    form: Annotated[
        str, typer.Option("--format", metavar="table|json", parser=_form, help="What is written.")
    ] = "table",
) -> None:
    """Compare the lake with Binance's public dumps of aggTrades.

    Says by symbol and hour which trades are missing here, missing there, or different. Exit code 0
    where all are equal, 1 where they differ. Nothing is written; the collector may be running.
    """
    from importer.run import StoppedError  # noqa: PLC0415 slow to import
    from importer.verify import verify_dumps  # noqa: PLC0415

    stop, lake = StopSignal(), lake_to_read(data)
    try:
        with file_progress() as on_file:
            found = list(verify_dumps(lake, files, on_file, stop.is_set))
    except StoppedError:
        typer.echo("interrupted", err=True)
        raise typer.Exit(130) from None
    differ = any(one.differs(captured) for one in found)
    _write(found, form, differ, data)
    raise typer.Exit(1 if differ else 0)


def _write(found: list["Verified"], form: str, differ: bool, data: str) -> None:
    from launcher.commands.verify_tables import json_of, text_of  # noqa: PLC0415 slow to import

    if form == "json":
        lines_to_stdout(json_of(found, differ))
        return
    lines_to_stdout(text_of(found))
    if not differ:
        typer.echo("equal: nothing is missing, and nothing is different")
        return
    missing = [one.dump.path for one in found if any(+hour.missing for hour in one.hours)]
    fillable = missing and not is_remote(data)
    typer.echo("different" + ("; what is missing here is filled by" if fillable else ""))
    if fillable:
        names = " ".join(shlex.quote(str(path)) for path in missing)
        typer.echo(f"  {command_name()} import {names} --data {shlex.quote(data)}")
