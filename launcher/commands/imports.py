"""`spreadlake import`: Binance's public dump files into a lake."""

import shlex
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from launcher.commands.file_progress import file_progress
from launcher.commands.options import DataOption
from spreadlake.called import command_name
from spreadlake.lake import Lake, open_reader
from spreadlake.lake.ticks.gaps import left_out
from spreadlake.lake.ticks.klines import symbols_of_klines_alone
from spreadlake.service import StopSignal
from spreadlake.words import count

if TYPE_CHECKING:
    from importer import Imported


_NAMED = 3  # symbols in a line


def import_files(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="aggTrades, 1m klines or fundingRate; .zip, .csv or .csv.gz, a day or month each.",
        ),
    ],
    data: DataOption = Path("data"),
    skip: Annotated[
        bool,
        typer.Option(
            "--skip-contradictions",
            help="Leave out, and count, records whose id is another trade in the lake.",
        ),
    ] = False,
) -> None:
    """Import Binance's public dump files.

    What is there already stays; after an interruption the same command goes on.
    """
    from importer import StoppedError, import_dumps  # noqa: PLC0415 slow to import

    stop = StopSignal()
    done = []
    try:
        with file_progress() as on_file:
            for imported in import_dumps(Lake(data), files, on_file, stop.is_set, skip):
                typer.echo(_line(imported))
                done.append(imported)
    except StoppedError:
        typer.echo("interrupted; the same command goes on from here", err=True)
        raise typer.Exit(130) from None
    typer.echo(_summary(done, Lake(data)))


_WHAT = {"funding": "funding rates"}


def _line(imported: "Imported") -> str:
    what = _WHAT.get(imported.dump.kind, imported.dump.kind)
    known = imported.records - imported.fresh - imported.empty - imported.skipped
    parts = [f"{imported.dump.path.name}: {imported.fresh:,} {what}"]
    if known:
        parts.append(f"{known:,} were there already")
    if imported.empty:
        parts.append(
            f"left out {count(imported.empty, 'record')} with 0 in the column quantity: no trades "
            "(their ids are kept, and are no gap)"
        )
    if imported.skipped:
        parts.append(f"left out {count(imported.skipped, 'record')} that contradict the lake")
    if imported.restored:
        parts.append(_restored(imported))
    return "; ".join(parts)


def _restored(imported: "Imported") -> str:
    text = f"restored {count(imported.restored, 'hour')} of Parquet that was gone"
    if imported.not_restored:
        text += f", less {count(imported.not_restored, 'trade')} that this file does not have"
    return text


def _summary(done: list["Imported"], lake: Lake) -> str:
    notes = _notes(lake)
    if not any(imported.fresh or imported.restored for imported in done):
        read = any(imported.records for imported in done)
        nothing = (
            "nothing new: all of it was there already" if read else "nothing is in these files"
        )
        return "\n".join([nothing, *notes])
    if all(imported.dump.kind == "funding" for imported in done):
        return "\n".join([*notes, "the rates are in the lake; nothing is to be analysed anew"])
    lines = [
        *notes,
        "the analytics job takes this in when it runs, beside what is live; without live trades "
        "this is the fastest way, and it computes only what is new:",
        f"  {command_name()} analyse --data {shlex.quote(str(lake.root))} --once",
    ]
    return "\n".join(lines)


def _notes(lake: Lake) -> list[str]:
    """Lines about trades between the imported ones that no file had, and klines without trades."""
    with closing(open_reader(lake.ticks_db)) as db:
        missing = [
            f"{one.symbol}: {one.trades:,} trades in between were in no file "
            f"({count(one.ranges, 'gap')}); import the days that are missing"
            for one in left_out(db)
        ]
        alone = symbols_of_klines_alone(db)
    if not alone:
        return missing
    named = ", ".join(alone[:_NAMED]) + (f" and {len(alone) - _NAMED} more" * (len(alone) > _NAMED))
    return [*missing, f"{named}: klines and no trades, which make bars from 1m up, none of seconds"]
