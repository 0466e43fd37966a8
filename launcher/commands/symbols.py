"""`spreadlake symbols`: who is captured, who is not, and why."""

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from launcher.commands.options import DataOption
from launcher.commands.output import new_console
from spreadlake.lake import Lake, open_reader
from spreadlake.status import SymbolChoice, UniverseReport, read_choices, require_lake
from spreadlake.times import iso_utc
from spreadlake.words import age, count

if TYPE_CHECKING:
    from rich.table import Table

_NUMBER = re.compile(r"\b\d[\d,]*\b(?! h\b)")
_FEW = 30  # that are not captured: they are shown without being asked for


def symbols(
    data: DataOption = Path("data"),
    every: Annotated[
        bool, typer.Option("--all", help="Each one that is not captured too, however many.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="All of it as JSON.")] = False,
) -> None:
    """Tell which symbols are captured, which are not, and why.

    As the collector last saw it; it need not run now.
    """
    lake = Lake(data)
    require_lake(lake)
    with closing(open_reader(lake.ticks_db)) as db:
        report, choices = read_choices(db)
    now = time.time()
    if as_json:
        age_seconds = None if report.looked_at is None else max(0.0, now - report.looked_at)
        rows = [asdict(choice) for choice in choices]
        told = {"lake": str(lake.root), **asdict(report), "age_seconds": age_seconds}
        typer.echo(json.dumps({**told, "symbols": rows}, indent=1, allow_nan=False))
    else:
        _print(lake, report, choices, now, every=every)


def _print(
    lake: Lake, report: UniverseReport, choices: Sequence[SymbolChoice], now: float, *, every: bool
) -> None:
    console = new_console()
    for line in _head(lake, report, now):
        console.print(line)
    captured = [choice for choice in choices if choice.captured]
    others = [choice for choice in choices if not choice.captured]
    if captured:
        console.print(_table("captured", captured, now))
    if every or len(others) <= _FEW:
        if others:
            console.print(_table("not captured", others, now))
    else:
        console.print("not captured, by reason (each of them: --all)", style="bold")
        for line in _reasons(others):
            console.print(line)


def _head(lake: Lake, report: UniverseReport, now: float) -> Iterator[str]:
    """What there is to say of all of them."""
    if not report.known:
        yield f"lake {lake.root}: no collector has told yet which symbols it captures"
    else:
        yield (
            f"lake {lake.root}: {count(report.captured, 'symbol')} captured of {report.known:,} "
            f"known; the exchange's list was read {age(now, report.looked_at)}"
        )
    if report.rules:
        yield f"rules: {report.rules}"
    if report.trouble:
        yield f"since then: {report.trouble}"
    for symbol, at in report.deliveries.items():
        yield f"{symbol} ends at {iso_utc(int(at))} ({age(now, at)}): its delivery is announced"


def _table(title: str, choices: Sequence[SymbolChoice], now: float) -> "Table":
    from launcher.commands.status_tables import new_table  # noqa: PLC0415 rich is slow to import

    numbers = ("24 h volume", "rank")
    columns = ("symbol", "status", "contract", "quote", *numbers, "since", "why")
    table = new_table(title, *columns, right=numbers)
    for one in choices:
        volume = "" if one.quote_volume is None else f"{one.quote_volume:,.0f}"
        rank = "" if one.rank is None else str(one.rank)
        since = "" if one.since is None else age(now, one.since)
        kind = (one.status, one.contract, one.quote)
        table.add_row(one.symbol, *kind, volume, rank, since, one.reason)
    return table


def _reasons(choices: Sequence[SymbolChoice]) -> Iterator[str]:
    """Reasons that differ in their numbers only are one."""
    found: dict[str, list[str]] = {}
    for one in choices:
        found.setdefault(_NUMBER.sub("…", one.reason), []).append(one.symbol)
    sizes = Counter({reason: len(names) for reason, names in found.items()})
    for reason, size in sizes.most_common():
        names = ", ".join(found[reason][:3])
        more = f" and {size - 3} more" if size > 3 else ""
        yield f"  {size:>4}  {reason}: {names}{more}"
