"""`spreadlake csv`: one series of pair analytics as time-aligned CSV."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer

from launcher.commands.options import PlaceOption, parse_bars
from launcher.commands.output import lines_to_file, lines_to_stdout
from launcher.commands.places import lake_to_read
from launcher.commands.series import (
    available_series,
    choose_series,
    column_names,
    is_kept,
    iter_computed,
    iter_rows,
    iter_unkept,
    kept_from,
    refuse_removed,
    what_there_is,
)
from spreadlake.csv_text import columns_known_at, csv_lines, file_name, rows_known_at
from spreadlake.errors import InputError
from spreadlake.lake import Lake
from spreadlake.pairs import parse_pair
from spreadlake.series import BARS, PAIR_ANALYTICS, Prices, SeriesKey
from spreadlake.status import require_lake
from spreadlake.times import iso_utc, length_of, parse_time
from spreadlake.words import count


def csv(
    pair: Annotated[str | None, typer.Option("--pair", metavar="A/B", help="The pair.")] = None,
    timeframe: Annotated[
        str | None, typer.Option("--timeframe", metavar="1s", help="Length of the bars.")
    ] = None,
    window: Annotated[
        int | None,
        typer.Option("--window", metavar="BARS", parser=parse_bars, help="Window of the z-score."),
    ] = None,
    lookback: Annotated[
        int | None,
        typer.Option(
            "--lookback", metavar="BARS", parser=parse_bars, help="Lookback of the hedge ratio."
        ),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="T", help="First bar, e.g. 2024-08-09T00:00Z.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="T", help="Last bar.")] = None,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", help="File to write; - is stdout."),
    ] = None,
    prices: Annotated[
        Prices | None,
        typer.Option(
            "--prices", metavar="raw|log", help="Closes, or their logarithms, computed here."
        ),
    ] = None,
    epoch: Annotated[bool, typer.Option("--epoch", help="Times as Unix seconds.")] = False,
    data: PlaceOption = "data",
) -> None:
    """Write pair analytics of any pair as CSV.

    One series, time-aligned, by default to A_B_TIMEFRAME_WINDOW_LOOKBACK.csv in the current folder:
    of any two of the lake's symbols, any timeframe and window, computed from the bars where the
    lake does not keep it. A row is known at close_time: join on that. Its column prices says
    whether it is on raw or log closes.
    """
    lake = lake_to_read(data)
    require_lake(lake)
    name = None if pair is None else parse_pair(pair).name
    stored = available_series(lake)
    key = choose_series(stored, name, timeframe, window, lookback)
    times = _times(start, end)
    columns = column_names(lake)
    if prices is not None:
        pieces = iter_computed(lake, key, columns, *times, prices)
    elif is_kept(lake, key):
        refuse_removed(lake, key, *times)
        pieces = iter_rows(lake, key, columns, *times)
    else:
        if key in stored:
            refuse_removed(lake, key, *times)
        pieces = iter_unkept(lake, key, columns, *times)
    if times[0] is None and (kept := _kept(lake, key, rows=prices is None and key in stored)):
        typer.echo(f"rows before {iso_utc(kept)} were removed to make room", err=True)
    header = columns_known_at((*columns, "prices"))
    kinds: Counter[str] = Counter()
    rows = rows_known_at(_some(pieces, lake, key), length_of(key.timeframe), epoch=epoch)
    lines = csv_lines(header, _counted(rows, kinds))
    if output == "-":
        lines_to_stdout(lines)
    else:
        path = _target(output, key, prices)
        replaced = path.is_file()
        lines_to_file(lines, path)
        typer.echo(_wrote(kinds, key, path, replaced=replaced), err=True)
    if len(kinds) > 1:
        typer.echo(_mixed(kinds), err=True)


def _kept(lake: Lake, key: SeriesKey, *, rows: bool) -> int:
    """Since when (s) there is what is written, where something was removed; else 0."""
    return kept_from(lake, key, PAIR_ANALYTICS if rows else BARS)


def _counted(
    rows: Iterable[tuple[object, ...]], kinds: Counter[str]
) -> Iterator[tuple[object, ...]]:
    for row in rows:
        kinds[str(row[-1])] += 1
        yield row


def _mixed(kinds: Counter[str]) -> str:
    each = " and ".join(f"{count(rows, 'row')} on {prices}" for prices, rows in kinds.items())
    return (
        f"warning: {each} prices, as the column prices says: another setting was there, and not "
        "all rows have been computed again (or never can: their bars are gone); --prices computes "
        "them all"
    )


def _some(
    pieces: Iterator[list[tuple[Any, ...]]], lake: Lake, key: SeriesKey
) -> Iterator[list[tuple[Any, ...]]]:
    """The pieces, once there is one: what would be empty is an error, and replaces nothing."""
    first = next((piece for piece in pieces if piece), None)
    if first is None:
        raise InputError(f"{_named(key)} has no rows in that time: {what_there_is(lake, key)}")
    return chain([first], pieces)


def _wrote(kinds: Counter[str], key: SeriesKey, path: Path, *, replaced: bool) -> str:
    before = ", in place of what was there" if replaced else ""
    rows, prices = count(kinds.total(), "row"), " and ".join(kinds)
    return f"wrote {rows} of {_named(key)}, {prices} prices, to {path}{before}"


def _named(key: SeriesKey) -> str:
    return f"{key.pair} {key.timeframe}, window {key.window}, lookback {key.lookback}"


def _times(start: str | None, end: str | None) -> tuple[float | None, float | None]:
    first = None if start is None else parse_time(start)
    last = None if end is None else parse_time(end)
    if first is not None and last is not None and first > last:
        raise InputError(f"--from {start} is after --to {end}")
    return first, last


def _target(output: str | None, key: SeriesKey, prices: Prices | None) -> Path:
    name = file_name(key, prices)
    path = Path(name if output is None else output)
    if not path.parent.is_dir():
        raise InputError(f"cannot write {path}: there is no folder {path.parent}; make it first")
    return path / name if path.is_dir() else path
