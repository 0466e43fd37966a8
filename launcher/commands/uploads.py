"""`spreadlake upload`: finished days to object storage, and whether they are there as they were."""

from pathlib import Path
from typing import Annotated

import typer

from launcher.commands.options import ConfigOption, DataOption, DurationOption
from launcher.commands.output import lines_to_stdout
from launcher.commands.services import follow_service, run_service
from spreadlake.lake import Lake
from spreadlake.lake.cold.check import address_of_record, check
from spreadlake.lake.cold.objects import Objects
from spreadlake.service import StopSignal
from spreadlake.status import require_lake
from spreadlake.words import count, size


def upload(
    data: DataOption = Path("data"),
    config: ConfigOption = None,
    duration: DurationOption = None,
    once: Annotated[
        bool, typer.Option("--once", help="End once all that is finished is uploaded.")
    ] = False,
    recover: Annotated[
        bool,
        typer.Option(
            "--recover",
            help="Where cold.db was lost, or is of before: put what is in the bucket on record "
            "again, each file once it was looked at; then as --once.",
        ),
    ] = False,
    whole: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Read every file of the bucket, and say which are not as they were uploaded; "
            "nothing is written, and another process may upload meanwhile.",
        ),
    ] = False,
) -> None:
    """Keep finished days in object storage as well.

    Where, storage.cold says; storage.local_days how long they stay on the disk none the less.
    """
    if whole:
        _check(Lake(data))
    elif once or recover:
        require_lake(Lake(data))
        run_service("uploader", data, config, duration, {"once": True, "recover": recover})
    else:
        follow_service("uploader", data, config, duration, {})


def _check(lake: Lake) -> None:
    """Says which objects are not as they were uploaded: exit code 1 where there are any."""
    if not lake.cold_db.exists():
        require_lake(lake)
    address = address_of_record(lake)
    stop = StopSignal()
    right, length, wrong = 0, 0, list[str]()
    for one in check(lake, Objects(address), lambda: not stop.is_set()):
        if one.fault:
            wrong.append(f"{address.url(one.path)} {one.fault}\n")
        else:
            right, length = right + 1, length + one.bytes
    if stop.is_set():
        typer.echo("interrupted", err=True)
        raise typer.Exit(130)
    lines_to_stdout(wrong)
    typer.echo(f"{count(right, 'file')} ({size(length)}) in {address.text}: as they were uploaded")
    if wrong:
        typer.echo(
            f"{count(len(wrong), 'file')}: otherwise; restore these objects, or put good copies "
            f"of the files in {lake.root}"
        )
        raise typer.Exit(1)
