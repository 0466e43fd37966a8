"""`spreadlake backtest`: would z-score mean reversion of a pair have paid?"""

from typing import Annotated, Any, Literal

import typer

from launcher.commands.backtest_grid import varied
from launcher.commands.backtest_output import (
    folder_for,
    keep_result,
    show,
    text_lines,
    write_folder,
)
from launcher.commands.backtest_screen import (
    EveryOption,
    MaxNotionalOption,
    MaxPositionsOption,
    MaxQvalueOption,
    MinVolumeOption,
    ScreenChoices,
    ScreenOption,
    SymbolsOption,
    TopOption,
    check_screen,
    run_screens,
    screen_lines,
)
from launcher.commands.clusters import cluster_tasks
from launcher.commands.options import (
    ClusterOption,
    FeeOption,
    PlaceOption,
    SlippageOption,
    TimeframeOption,
    parse_bars,
    parse_number,
    parse_whole,
)
from launcher.commands.places import is_remote, lake_to_read
from launcher.commands.screen_output import Progress
from launcher.commands.series import (
    available_series,
    choose_series,
    lake_definition,
    require_bars,
)
from spreadlake.errors import InputError
from spreadlake.lake import Lake
from spreadlake.lake.backtests import check_name
from spreadlake.pairs import Pair, parse_pair
from spreadlake.series import Prices
from spreadlake.times import parse_time

# What computes is imported where it is used: polars and numpy are slow to import.


def backtest(
    pair: Annotated[str | None, typer.Option("--pair", metavar="A/B", help="The pair.")] = None,
    timeframe: TimeframeOption = "1m",
    window: Annotated[
        int,
        typer.Option("--window", metavar="BARS", parser=parse_bars, help="Window of the z-score."),
    ] = 60,
    lookback: Annotated[
        int,
        typer.Option(
            "--lookback", metavar="BARS", parser=parse_bars, help="Lookback of the hedge ratio."
        ),
    ] = 300,
    prices: Annotated[
        Prices | None,
        typer.Option(
            "--prices",
            metavar="raw|log",
            help="Closes, or their logarithms [default: as the lake's own series]",
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="T", help="First bar with signals, e.g. 2024-08-09."),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="T", help="Time before which bars are taken.")
    ] = None,
    entry: Annotated[
        float,
        typer.Option(
            "--entry", metavar="Z", parser=parse_number, help="|z| that opens a position."
        ),
    ] = 2.0,
    exit_at: Annotated[
        float,
        typer.Option(
            "--exit", metavar="Z", parser=parse_number, help="z that closes it; below 0 is beyond."
        ),
    ] = 0.0,
    stop: Annotated[
        float | None,
        typer.Option(
            "--stop", metavar="Z", parser=parse_number, help="|z| that closes it at a loss."
        ),
    ] = None,
    max_bars: Annotated[
        int | None,
        typer.Option(
            "--max-bars", metavar="N", parser=parse_whole, help="Bars after which it is closed."
        ),
    ] = None,
    min_correlation: Annotated[
        float | None,
        typer.Option(
            "--min-correlation",
            metavar="X",
            parser=parse_number,
            help="Correlation in the window that an entry needs.",
        ),
    ] = None,
    max_adf_pvalue: Annotated[
        float | None,
        typer.Option(
            "--max-adf-pvalue",
            metavar="X",
            parser=parse_number,
            help="p-value of the spread's ADF test that an entry may have at most.",
        ),
    ] = None,
    fee_bps: FeeOption = 5.0,
    slippage_bps: SlippageOption = 0.0,
    notional: Annotated[
        float,
        typer.Option(
            "--notional", metavar="Q", parser=parse_number, help="Value of leg A in each trade."
        ),
    ] = 10_000.0,
    funding: Annotated[
        bool, typer.Option("--funding", help="With the funding that positions pay and receive.")
    ] = False,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            "--grid",
            metavar="KEY=V,V",
            help="Values of a parameter, none for without; more KEY=V,V may follow.",
        ),
    ] = None,
    more: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=V,V]...", hidden=True, help="More of --grid."),
    ] = None,
    train: Annotated[
        str | None,
        typer.Option(
            "--train", metavar="D", help="Walk-forward: span to choose in, as 30d, 12h or bars."
        ),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option("--test", metavar="D", help="Span after it in which the choice is used."),
    ] = None,
    form: Annotated[
        Literal["text", "json"],
        typer.Option("--format", metavar="text|json", help="What is written to stdout."),
    ] = "text",
    output: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", metavar="DIR", help="Folder for trades, equity, summary and pictures."
        ),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option("--keep", metavar="NAME", help="Keep it in the lake for Grafana, by a name."),
    ] = None,
    data: PlaceOption = "data",
    screen: ScreenOption = False,
    every: EveryOption = None,
    symbols: SymbolsOption = None,
    min_volume: MinVolumeOption = None,
    max_qvalue: MaxQvalueOption = None,
    top: TopOption = None,
    max_positions: MaxPositionsOption = None,
    max_notional: MaxNotionalOption = None,
    cluster: ClusterOption = None,
    *,
    context: typer.Context,
) -> None:
    """Back-test a pair, or the pairs that screens choose.

    Mean reversion of the z-score on the bars of the lake, point in time: a signal is taken at a
    bar's close and filled at the open of the next bar in which both legs trade. With -o DIR also
    trades.csv, equity.csv, summary.json, and pictures: backtest.html and backtest.png. With --grid
    every combination of values is run, the best by Sharpe ratio shown and told what it is worth
    among so many; with --train and --test the best of each training span is used in the span after
    it. With --screen the pairs are those that a screen of the lake's symbols would have chosen at
    each time, traded as one portfolio; window, lookback and prices are then 60, 240 and log.
    --cluster runs a grid, or the screens, on many processes or machines, with the same results.
    docs/backtest.md says what each number is.
    """
    from spreadlake.quant.backtest import Costs, Lane, Rules  # noqa: PLC0415
    from spreadlake.research.backtests.grid import GridRequest, take_grid  # noqa: PLC0415
    from spreadlake.research.backtests.pair import BacktestRequest, take_backtest  # noqa: PLC0415

    lake = lake_to_read(data)
    require_bars(lake)
    definition = lake_definition(lake)
    choices = ScreenChoices(
        every, symbols, min_volume, max_qvalue, top, max_positions, max_notional
    )
    check_screen(context, screen, choices)
    values = varied(context, grid, more, (train, test))
    if cluster is not None and not (screen or values):
        raise InputError(
            f"--cluster {cluster} shares out many sets or screens: add --grid or --screen"
        )
    span = (
        None if start is None else parse_time(start),
        None if end is None else parse_time(end),
    )
    costs = Costs(fee_bps, slippage_bps, notional)
    rules: dict[str, Any] = {
        "entry": entry,
        "exit": exit_at,
        "stop": stop,
        "max_bars": max_bars,
        "min_correlation": min_correlation,
        "max_adf_pvalue": max_adf_pvalue,
    }
    if screen:
        folder, lane = folder_for(output), Lane(Rules(**rules), costs)
        with cluster_tasks(cluster, lake) as tasks:
            chosen = run_screens(
                lake, context, choices, span, lane, definition.max_stale_bars, tasks
            )
        if folder is not None:
            write_folder(chosen, folder)
        show(chosen, form, screen_lines(chosen))
        return
    request = BacktestRequest(
        _pair(lake, pair),
        timeframe,
        window,
        lookback,
        prices or definition.prices,
        *span,
        Lane(Rules() if values else Rules(**rules), costs),
        funding,
        definition.max_stale_bars,
    )
    folder, name = folder_for(output), None if keep is None else _name(keep, data)
    if values:
        base = {"window": window, "lookback": lookback, "prices": request.prices, **rules}
        asked = GridRequest(request, base, values, train, test)
        with cluster_tasks(cluster, lake) as tasks, Progress("back-testing") as progress:
            result = take_grid(lake, asked, tasks, progress.advance)
    else:
        result = take_backtest(lake, request)
    if folder is not None:
        write_folder(result, folder)
    if name is not None:
        keep_result(lake, name, result)
    show(result, form, text_lines(result))


def _name(keep: str, data: str) -> str:
    if is_remote(data):
        raise InputError(
            f"--keep {keep}: {data} is only read; write the result with -o DIR, or name the lake's "
            "own folder with --data"
        )
    return check_name(keep)


def _pair(lake: Lake, text: str | None) -> Pair:
    """The pair that is named, or the only one that the lake has series of."""
    if text is not None:
        return parse_pair(text)
    return choose_series(available_series(lake), None, "1m", 60, 300).legs
