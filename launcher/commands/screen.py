"""`spreadlake screen`: every pair of the lake's symbols at one bar, tested and ranked."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from launcher.commands.clusters import cluster_tasks
from launcher.commands.options import (
    ClusterOption,
    FeeOption,
    PlaceOption,
    SlippageOption,
    TimeframeOption,
    parse_bars,
    parse_not_negative,
    parse_whole,
)
from launcher.commands.places import lake_to_read
from launcher.commands.screen_output import Choice, iter_screens, write_rows, write_tables
from launcher.commands.series import lake_definition, require_bars
from spreadlake.errors import InputError
from spreadlake.pairs import check_symbol
from spreadlake.series import Prices
from spreadlake.times import length_of, parse_time

# What computes is imported where it is used: polars and numpy are slow to import.

_TABLE_ROWS = 20


def screen(
    timeframe: TimeframeOption = "1m",
    lookback: Annotated[
        int,
        typer.Option(
            "--lookback", metavar="BARS", parser=parse_bars, help="Bars of the tests, 30 or more."
        ),
    ] = 240,
    window: Annotated[
        int,
        typer.Option("--window", metavar="BARS", parser=parse_bars, help="Bars of the z-score."),
    ] = 60,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="T", help="As it was known then; now unless it is given."),
    ] = None,
    every: Annotated[
        str | None,
        typer.Option("--every", metavar="1h", help="A screen at every such time of a range."),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="T", help="First time of the range.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="T", help="Last time of the range.")
    ] = None,
    symbols: Annotated[
        str, typer.Option("--symbols", metavar="S,S|all", help="Symbols to pair, or all.")
    ] = "all",
    prices: Annotated[
        Prices,
        typer.Option("--prices", metavar="log|raw", help="Logarithms of the closes, or closes."),
    ] = "log",
    fee_bps: FeeOption = 5.0,
    slippage_bps: SlippageOption = 0.0,
    min_volume: Annotated[
        float,
        typer.Option(
            "--min-volume",
            metavar="Q",
            parser=parse_not_negative,
            help="Quote volume asked of each leg, over the lookback.",
        ),
    ] = 0.0,
    max_qvalue: Annotated[
        float | None,
        typer.Option(
            "--max-qvalue",
            metavar="X",
            parser=parse_not_negative,
            help="Only pairs whose q-value is not above it.",
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            "--top",
            metavar="N",
            parser=parse_whole,
            help="Only the first N of each screen [default: all; 20 in a table]",
        ),
    ] = None,
    order: Annotated[
        str,
        typer.Option("--order", metavar="COLUMN", help="Column to order by, the best first."),
    ] = "coint_pvalue",
    form: Annotated[
        Literal["table", "csv", "json"] | None,
        typer.Option(
            "--format",
            metavar="table|csv|json",
            help="[default: table; with -o csv, or json by the file's name]",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", help="File to write; - is stdout."),
    ] = None,
    data: PlaceOption = "data",
    cluster: ClusterOption = None,
) -> None:
    """Test and rank every pair of the lake's symbols.

    At the newest bar, or as it was known at any time. Each pair is tested for cointegration in both
    directions, and named in the better one, A regressed on B. q-values bound how many of those
    found are false. What a way back to the mean would earn stands beside what it costs. In a table,
    pairs with a q-value up to 0.05 stand out. An order puts the best first: small p- and q-values,
    half-lives and costs, great edges, correlations and volumes, z-scores far from 0. With --every,
    --cluster takes the screens on many processes or machines, with the same results.
    """
    from spreadlake.quant.screen import ScreenOptions  # noqa: PLC0415
    from spreadlake.research import ScreenRequest  # noqa: PLC0415

    lake = lake_to_read(data)
    require_bars(lake)
    choice = _choice(order, max_qvalue, top, form, output)
    times = _times(at, every, start, end)
    if cluster is not None and every is None:
        raise InputError(f"--cluster {cluster} shares out many screens: add --every")
    request = ScreenRequest(
        timeframe,
        ScreenOptions(lookback, window, prices, fee_bps, slippage_bps),
        parse_symbols(symbols),
        min_volume,
        lake_definition(lake).max_stale_bars,
    )
    path = _target(output)
    write = write_tables if choice.form == "table" else write_rows
    with cluster_tasks(cluster, lake) as tasks:
        write(iter_screens(lake, request, times, choice, tasks), choice, path)


def _choice(
    order: str, max_qvalue: float | None, top: int | None, form: str | None, output: str | None
) -> Choice:
    from spreadlake.quant.screen import ORDERS  # noqa: PLC0415

    if order not in ORDERS:
        raise InputError(f"--order {order}: a screen is ordered by one of {', '.join(ORDERS)}")
    if top is not None and top < 1:
        raise InputError(f"--top {top}: ask for 1 pair or more")
    if form is None:
        by_name = "json" if (output or "").lower().endswith(".json") else "csv"
        form = "table" if output is None else by_name
    if form == "table" and top is None:
        top = _TABLE_ROWS
    return Choice(order, max_qvalue, top, form)


def _times(
    at: str | None, every: str | None, start: str | None, end: str | None
) -> list[float | None]:
    """When the screens are taken; None is now."""
    if every is None:
        if start is not None or end is not None:
            raise InputError("--from and --to are of a range: add --every, such as --every 1h")
        return [None if at is None else parse_time(at)]
    if at is not None:
        raise InputError("--at is one time, and --every many: leave one of them out")
    if start is None or end is None:
        raise InputError("--every needs the range's --from and --to")
    step = length_of(every, "--every")
    first, last = parse_time(start), parse_time(end)
    if first > last:
        raise InputError(f"--from {start} is after --to {end}")
    return [first + step * k for k in range(int((last - first) // step) + 1)]


def parse_symbols(text: str) -> tuple[str, ...] | None:
    """Two symbols or more; None for all. Anything else is an InputError."""
    if text == "all":
        return None
    try:
        symbols = {check_symbol(symbol.strip()) for symbol in text.split(",")}
    except ValueError as error:
        raise InputError(f"--symbols {text}: {error}") from None
    if len(symbols) < 2:
        raise InputError(f"--symbols {text}: a pair needs two symbols, such as BTCUSDT,ETHUSDT")
    return tuple(sorted(symbols))


def _target(output: str | None) -> Path | None:
    """The file to write; None is stdout."""
    if output is None or output == "-":
        return None
    path = Path(output)
    if not path.parent.is_dir():
        raise InputError(f"cannot write {path}: there is no folder {path.parent}; make it first")
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder; name a file in it")
    return path
