"""The `spreadlake` command: its subcommands, and the edge where errors become messages."""

import errno
import os
import sqlite3
import sys
from pathlib import Path
from typing import Annotated

import typer

from launcher.commands import (
    backtest,
    backtests,
    backup,
    csv,
    dashboards,
    imports,
    pipeline,
    replay,
    screen,
    services,
    simulate,
    status,
    storage,
    symbols,
    uploads,
    verify,
)
from launcher.commands.alerts import alerts_app
from launcher.commands.config import config_app
from launcher.commands.output import tolerate_terminals
from launcher.commands.pairs import pairs_app
from launcher.commands.refusals import explain_refused
from spreadlake import __version__
from spreadlake.blas import pin_blas_threads
from spreadlake.errors import SpreadlakeError
from spreadlake.lake.databases.errors import explain, passes

app = typer.Typer(
    name="spreadlake",
    help="Live pair analytics for perpetual futures, kept in a small lake that loses no trade.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.command("demo")(pipeline.demo)
app.command("up")(pipeline.up)
app.command("dashboards")(dashboards.dashboards)
app.command("replay")(replay.replay)
app.command("status")(status.status)
app.command("storage")(storage.storage)
app.command("symbols")(symbols.symbols)
app.command("csv")(csv.csv)
app.command("screen")(screen.screen)
app.command("backtest")(backtest.backtest)
app.command("backtests")(backtests.backtests)
app.command("collect")(services.collect)
app.command("store")(services.store)
app.command("analyse")(services.analyse)
app.command("export-metrics")(services.export_metrics)
app.command("notify")(services.notify)
app.command("upload")(uploads.upload)
app.command("import")(imports.import_files)
app.command("verify")(verify.verify)
app.command("roll")(services.roll)
app.command("backup")(backup.backup)
app.command("simulate")(simulate.simulate)
app.add_typer(pairs_app, name="pairs")
app.add_typer(alerts_app, name="alerts")
app.add_typer(config_app, name="config")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"spreadlake {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_show_version, help="Show the version and end."
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Runs the command and ends the process with its exit code.

    What a user can mend is told in one message, without a traceback; anything else is a fault
    of spreadlake, and keeps its traceback.
    """
    pin_blas_threads()
    tolerate_terminals()
    try:
        app(prog_name="spreadlake")
    except SpreadlakeError as error:
        _fail(str(error), error.exit_code)
    except (OSError, sqlite3.Error) as error:
        message = explain_system_error(error)
        if message is None:
            raise
        _fail(message, 2 if is_for_good(error) else 1)


def _fail(message: str, exit_code: int) -> None:
    sys.stdout.flush()
    typer.echo(f"spreadlake: error: {message}", err=True)
    sys.exit(exit_code)


_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some room and start again",
    errno.EDQUOT: "the disk quota is used up; free some room and start again",
    errno.EACCES: "this user may not do that",
    errno.EPERM: "this user may not do that",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n)",
    errno.ENOENT: "it is not there",
    errno.EISDIR: "it is a folder, not a file",
    errno.ENOTDIR: "a part of this path is a file, not a folder",
    errno.EEXIST: "it is there already, as something else",
    errno.ENOLCK: "the file system cannot lock files; choose a folder on a disk of this machine",
    errno.EIO: "the disk cannot be read or written; look at the system's log",
}


def explain_system_error(error: OSError | sqlite3.Error) -> str | None:
    """One line for a person; None for an error that no user could mend."""
    if isinstance(error, OSError):
        remedy = _REMEDIES.get(error.errno or 0)
        if remedy is None:
            return None
        if isinstance(error, PermissionError) and isinstance(error.filename, str | os.PathLike):
            return explain_refused(os.fspath(error.filename))
        return f"{error.filename}: {remedy}" if error.filename else remedy
    # A mistake of ours has no database: its traceback says more than any remedy.
    if not (passes(error) or hasattr(error, "database")):
        return None
    return str(explain(error, Path("the lake's database")))


def is_for_good(error: OSError | sqlite3.Error) -> bool:
    """Whether nothing but a user's change can help: a database that is not as it was left."""
    return isinstance(error, sqlite3.Error) and not passes(error)
