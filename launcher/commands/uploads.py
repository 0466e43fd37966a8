"""`spreadlake upload --check`: whether the bucket has what was uploaded."""

import typer

from launcher.commands.output import lines_to_stdout
from spreadlake.lake import Lake
from spreadlake.lake.cold.objects import Objects
from spreadlake.service import StopSignal
from spreadlake.status import require_lake
from spreadlake.words import count, size


def check_uploads(lake: Lake) -> None:
    """Says which objects are not as they were uploaded: exit code 1 where there are any."""
    from uploader.check import address_of_record, check  # noqa: PLC0415 slow to import

    if not lake.cold_db.exists():
        require_lake(lake)
    address = address_of_record(lake)
    stop = StopSignal()
    right, length, wrong = 0, 0, list[str]()
    for one in check(lake, Objects(address), lambda: not stop.is_set()):
        if one is None:
            continue
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
