"""`spreadlake backtest --screen`: what the screens would have chosen, traded as a portfolio."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from launcher.commands.backtest_output import number_lines, rule_lines
from launcher.commands.options import parse_not_negative, parse_number, parse_whole, was_typed
from launcher.commands.output import wrapped
from launcher.commands.screen import parse_symbols
from launcher.commands.screen_output import THREADS, Progress
from spreadlake.errors import InputError
from spreadlake.lake import Lake
from spreadlake.times import length_of
from spreadlake.words import count

if TYPE_CHECKING:
    from spreadlake.quant.backtest import Lane
    from spreadlake.research.backtests.screen import ScreenBacktest
    from spreadlake.tasks import Tasks

# What computes is imported where it is used: polars and numpy are slow to import.

_PAIRS_TOLD = 10
_REFUSED = ("pair", "grid", "more", "train", "test", "keep")  # what is of one pair

ScreenOption = Annotated[
    bool,
    typer.Option("--screen", help="Trade what screens choose, all pairs as one portfolio."),
]
EveryOption = Annotated[
    str | None,
    typer.Option("--every", metavar="1h", help="With --screen: time between two screens."),
]
SymbolsOption = Annotated[
    str | None,
    typer.Option("--symbols", metavar="S,S|all", help="With --screen: symbols to pair, or all."),
]
MinVolumeOption = Annotated[
    float | None,
    typer.Option(
        "--min-volume",
        metavar="Q",
        parser=parse_not_negative,
        help="With --screen: quote volume asked of each leg, over the lookback.",
    ),
]
MaxQvalueOption = Annotated[
    float | None,
    typer.Option(
        "--max-qvalue",
        metavar="X",
        parser=parse_not_negative,
        help="With --screen: q-value that a chosen pair may have at most [default: 0.05]",
    ),
]
TopOption = Annotated[
    int | None,
    typer.Option(
        "--top",
        metavar="N",
        parser=parse_whole,
        help="With --screen: pairs chosen of each screen [default: 20]",
    ),
]
MaxPositionsOption = Annotated[
    int | None,
    typer.Option(
        "--max-positions",
        metavar="N",
        parser=parse_whole,
        help="With --screen: positions held at a time [default: 10]",
    ),
]
MaxNotionalOption = Annotated[
    float | None,
    typer.Option(
        "--max-notional",
        metavar="Q",
        parser=parse_number,
        help="With --screen: value of both legs of all of them.",
    ),
]


class ScreenChoices(NamedTuple):
    """What was given of the options that are of --screen alone; None for the default."""

    every: str | None = None
    symbols: str | None = None
    min_volume: float | None = None
    max_qvalue: float | None = None
    top: int | None = None
    max_positions: int | None = None
    max_notional: float | None = None


def check_screen(context: typer.Context, screen: bool, choices: ScreenChoices) -> None:
    """InputError for options that do not go with --screen, or not without it."""
    if not screen:
        for name, value in choices._asdict().items():
            if value is not None:
                raise InputError(f"--{name.replace('_', '-')} is of screens: add --screen")
        return
    for name in _REFUSED:
        if context.params.get(name):
            told = f"--{name}" if name != "more" else " ".join(context.params[name])
            raise InputError(f"{told} is of one pair, and --screen of many: leave one of them out")


def run_screens(
    lake: Lake,
    context: typer.Context,
    choices: ScreenChoices,
    span: tuple[float | None, float | None],
    lane: "Lane",
    max_stale_bars: int,
    tasks: "Tasks",
) -> "ScreenBacktest":
    """The back-test; what is also of one pair is as it was given, or else as screens have it."""
    from spreadlake.quant.backtest.limits import Limits  # noqa: PLC0415
    from spreadlake.research.backtests.screen import take_screen_backtest  # noqa: PLC0415
    from spreadlake.research.backtests.screen_request import (  # noqa: PLC0415
        MOST_POSITIONS,
        ScreenBacktestRequest,
    )

    given = choices._asdict()
    most, worth = given.pop("max_positions"), given.pop("max_notional")
    if choices.every is not None:
        given["every"] = length_of(choices.every, "--every")
    if choices.symbols is not None:
        given["symbols"] = parse_symbols(choices.symbols)
    for name in ("timeframe", "window", "lookback", "prices", "funding"):
        given[name] = context.params[name] if was_typed(context, name) else None
    request = ScreenBacktestRequest(
        **{name: value for name, value in given.items() if value is not None},
        start=span[0],
        end=span[1],
        lane=lane,
        limits=Limits(MOST_POSITIONS if most is None else most, worth),
        max_stale_bars=max_stale_bars,
    )
    with Progress("taking screens") as progress:
        return take_screen_backtest(lake, request, progress.advance, THREADS, tasks)


def screen_lines(result: "ScreenBacktest") -> Iterator[str]:
    """The result at 80 columns: what was asked for, the numbers, and the pairs."""
    for line in _asked(result):
        yield from wrapped(line)
    yield ""
    if len(result.trades):
        yield from number_lines(result)
        m = result.summary
        held = f"{m['most_positions']:,}"
        yield f"{'most held':<14}{held:>14}  at a time, for {m['most_notional']:,.0f} at most"
        yield ""
        yield from _pair_lines(result)
    for note in result.notes:
        yield from wrapped(f"note: {note}" if len(result.trades) else note)


def _asked(result: "ScreenBacktest") -> list[str]:
    s = result.settings
    symbols = "all symbols" if s["symbols"] is None else count(len(s["symbols"]), "symbol")
    limits = [
        text
        for text, value in (
            (f"{s['max_positions']} positions", s["max_positions"]),
            (f"{s['max_notional'] or 0:,g} in both legs", s["max_notional"]),
        )
        if value is not None
    ]
    return [
        f"pairs of {symbols}  {s['timeframe']} bars, window {s['window']}, lookback "
        f"{s['lookback']}, {s['prices']} prices",
        f"{s['first_bar']} to {s['last_bar']}",
        f"{count(s['bars'], 'bar')}, {count(len(result.screens), 'screen')}, one every "
        f"{s['every']}, of {_most(result, 'symbols')} symbols and "
        f"{_most(result, 'pairs')} pairs at most",
        f"chosen: q up to {s['max_qvalue']:g}, edge above 0, the first {s['top']} of each "
        f"screen: {count(len(result.pairs), 'pair')} in all",
        *rule_lines(s),
        f"at most {' and '.join(limits)}" if limits else "without a limit of positions",
    ]


def _pair_lines(result: "ScreenBacktest") -> Iterator[str]:
    """The pairs that earned and lost most."""
    traded = [row for row in result.pairs.to_dicts() if row["trades"]]
    width = max(len(row["pair"]) for row in traded)
    shown = traded
    if len(traded) > _PAIRS_TOLD:
        shown = [*traded[: _PAIRS_TOLD // 2], *traded[-(_PAIRS_TOLD // 2) :]]
    yield f"{'pair':<{width}}  screens  trades        gross         fees          net"
    for row in shown:
        money = "".join(f"{row[name] + 0.0:>13,.2f}" for name in ("gross", "fees", "net"))
        yield f"{row['pair']:<{width}}  {row['screens']:>7,}  {row['trades']:>6,}{money}"
    more = len(traded) - len(shown)
    if more:
        yield f"{count(more, 'pair')} between them: -o DIR writes all"


def _most(result: "ScreenBacktest", column: str) -> str:
    most: Any = result.screens[column].max()
    return f"{most:,}"
