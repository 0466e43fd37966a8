"""`spreadlake storage`: what takes how much room, and how long the disk will last."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from launcher.commands.options import ConfigOption, DataOption
from launcher.commands.output import new_console
from spreadlake.config import find_config, load_settings
from spreadlake.lake import Lake
from spreadlake.status import require_lake
from spreadlake.status.storage import StorageReport, report_storage
from spreadlake.words import count, duration, size

if TYPE_CHECKING:
    from rich.table import Table

_TELL_AFTER = 3.0  # seconds of looking


def storage(
    data: DataOption = Path("data"),
    config: ConfigOption = None,
    top: Annotated[int, typer.Option("--top", metavar="N", min=0, help="Symbols named.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Tell what takes how much room, and how long it lasts.

    It says how it grows as well, by the last finished days; running services do not matter.
    """
    lake = Lake(data)
    require_lake(lake)
    settings = load_settings(find_config(config))
    report = report_storage(lake, settings.storage, top, _patience())
    if as_json:
        typer.echo(json.dumps(asdict(report), indent=1, allow_nan=False))
    else:
        _print(report)


def _patience() -> Callable[[], None]:
    """Says once that it takes a while, where it does."""
    begin, folders, told = time.monotonic(), 0, False

    def look() -> None:
        nonlocal folders, told
        folders += 1
        if not told and time.monotonic() - begin > _TELL_AFTER:
            told = True
            typer.echo(f"looking into the folders, {folders:,} so far …", err=True)

    return look


def _print(report: StorageReport) -> None:
    console = new_console()
    console.print(f"lake {report.lake}: {size(report.bytes)}")
    console.print(_outlook(report))
    console.print(_kinds(report))
    if report.symbols:
        console.print(_names("largest symbols and pairs", "symbol", report.symbols))
    if report.tables:
        console.print(_names("tables of analytics.db", "table", report.tables))
    elif report.tables_note:
        console.print(f"tables of analytics.db: {report.tables_note}")
    for line in _retention(report):
        console.print(line)
    looked = count(report.folders, "folder")
    console.print(f"{looked} looked into in {duration(report.seconds)}")


def _outlook(report: StorageReport) -> str:
    disk = f"disk: {size(report.disk_free)} of {size(report.disk_size)} free"
    if report.bytes_per_day is None:
        return f"{disk}; how fast the lake grows is known after its first finished day"
    over = f"over the last {count(report.growth_days, 'finished day')}"
    grows = f"{size(round(report.bytes_per_day))} a day {over}"
    if report.days_left is None:
        return f"{disk}; files grow by {grows}"
    return (
        f"{disk}; files grow by {grows}: enough for some {duration(report.days_left * 86_400)} if "
        "nothing is removed (an estimate)"
    )


def _kinds(report: StorageReport) -> "Table":
    table = _table("what takes how much", "what", "size", "files", "a day")
    for kind in sorted(report.kinds, key=lambda one: -one.bytes):
        wal = f" (log {size(kind.wal_bytes)})" if kind.wal_bytes else ""
        daily = "" if not kind.bytes_per_day else size(round(kind.bytes_per_day))
        table.add_row(f"{kind.kind}{wal}", size(kind.bytes), f"{kind.files:,}", daily)
    return table


def _names(title: str, column: str, rows: dict[str, int]) -> "Table":
    table = _table(title, column, "size")
    for name, room in rows.items():
        table.add_row(name, size(room))
    return table


def _retention(report: StorageReport) -> list[str]:
    lines = []
    for kept in report.keep:
        days = "for ever" if kept.keep_days is None else _days(kept.keep_days)
        since = "" if kept.first_day is None else f", there from {kept.first_day} on"
        due = f"; before {kept.due_before} {size(kept.due_bytes)} go next" if kept.due_bytes else ""
        if kept.keep_days is not None or since:
            lines.append(f"{kept.kind}: kept {days}{since}{due}")
    if report.max_gib is not None:
        share = report.bytes / (report.max_gib * 2**30)
        lines.append(f"storage.max_gib = {report.max_gib:g}: {share:.0%} of it are used")
    return lines


def _days(number: float) -> str:
    return "1 day" if number == 1 else f"{number:g} days"


def _table(title: str, *columns: str) -> "Table":
    from rich.table import Table  # noqa: PLC0415 slow to import

    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for at, column in enumerate(columns):
        table.add_column(column, justify="right" if at else "left", header_style="dim")
    return table
