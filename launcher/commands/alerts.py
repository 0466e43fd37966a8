"""`spreadlake alerts`: which rules watch which pairs; sets and removes one for a pair by hand."""

import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from launcher.commands.by_hand import JsonOption, ListsAlone, echo_json, first_rows, when_taken
from launcher.commands.options import DataOption, refuse_before_word
from launcher.commands.output import new_console
from launcher.commands.pairs import refuse_unknown
from spreadlake.config.added_rules import (
    BY_HAND,
    AddedRule,
    changing_rules,
    rule_by_hand,
)
from spreadlake.config.explain import explain_values
from spreadlake.errors import InputError
from spreadlake.lake import Lake
from spreadlake.lake.added_pairs import read_added
from spreadlake.pairs import Pair, parse_pair
from spreadlake.status import (
    RuleReport,
    read_followed_pairs,
    read_rules,
    require_lake,
    snapshot,
)
from spreadlake.status.watchable import Watchable, watchable
from spreadlake.words import age, count

if TYPE_CHECKING:
    from rich.table import Table

alerts_app = typer.Typer(
    cls=ListsAlone,
    invoke_without_command=True,
    add_completion=False,
    help="List alert rules, and set one for a pair.\n\nAlone it lists the rules on pair analytics: "
    "what each watches, at which threshold, and whether the configuration says so or somebody did "
    "by hand.",
)

PairArgument = Annotated[
    str, typer.Argument(metavar="A/B", help="The pair, such as BTCUSDT/ETHUSDT.")
]
RuleOption = Annotated[
    str | None,
    typer.Option("--rule", metavar="NAME", help="Name of the rule; needed where several watch it."),
]


def _value(name: str, text: str) -> Any:
    return typer.Option(name, metavar="X", help=text)


@alerts_app.callback()
def alerts(
    context: typer.Context,
    data: DataOption = Path("data"),
    every: Annotated[bool, typer.Option("--all", help="Each rule on each pair.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List alert rules, and set one for a pair."""
    if context.invoked_subcommand is not None:
        refuse_before_word(context, "alerts")
        return
    lake = Lake(data)
    require_lake(lake)
    reports = read_rules(lake)
    if as_json:
        echo_json(lake, "rules", reports)
    else:
        _print(lake, reports, every=every)


@alerts_app.command("set")
def set_rule(
    pair: PairArgument,
    threshold: Annotated[str, _value("--threshold", "Opens when |z| is greater.")],
    rule: RuleOption = None,
    timeframe: Annotated[str, typer.Option(metavar="1s", help="Timeframe it watches.")] = "1s",
    window: Annotated[str, typer.Option(metavar="N", help="Bars of the z-score.")] = "60",
    lookback: Annotated[
        str | None, typer.Option(metavar="N", help="Bars of the regression; by default all.")
    ] = None,
    close_below: Annotated[str | None, _value("--close-below", "Closes when |z| is less.")] = None,
    min_bars: Annotated[
        str | None, _value("--min-bars", "Bars in a row beyond the threshold before it opens.")
    ] = None,
    min_seconds: Annotated[
        str | None, _value("--min-seconds", "The same in seconds; the longer of both counts.")
    ] = None,
    quiet_seconds: Annotated[
        str | None, _value("--quiet-seconds", "Opens no other for so long after one has closed.")
    ] = None,
    min_hedge_bars: Annotated[
        str | None, _value("--min-hedge-bars", "Least share of the lookback that is there.")
    ] = None,
    min_correlation: Annotated[
        str | None, _value("--min-correlation", "Least correlation at the opening.")
    ] = None,
    max_adf_pvalue: Annotated[
        str | None, _value("--max-adf-pvalue", "Greatest ADF p-value at the opening.")
    ] = None,
    min_volume: Annotated[
        str | None, _value("--min-volume", "Least volume (quote) of each leg in the window.")
    ] = None,
    data: DataOption = Path("data"),
) -> None:
    """Set the threshold of a pair's alert rule, or a rule of its own where none watches it.

    On this pair it takes the place of the configuration's rule of that name, which says all that
    is not given here. Nothing starts again: the analytics job takes it on within a second or two,
    or when it runs next. It is kept in rules.json of the lake; the words are those of [[alerts]].
    """
    lake = Lake(data)
    require_lake(lake)
    said = {
        "threshold": threshold,
        "close_below": close_below,
        "min_bars": min_bars,
        "min_seconds": min_seconds,
        "quiet_seconds": quiet_seconds,
        "min_hedge_bars": min_hedge_bars,
        "min_correlation": min_correlation,
        "max_adf_pvalue": max_adf_pvalue,
        "min_volume": min_volume,
    }
    asked = parse_pair(pair)
    one = _checked(asked, BY_HAND if rule is None else rule, (timeframe, window, lookback), said)
    watched = one.rule.timeframe, one.rule.window, one.rule.lookback
    can = _watchable(lake, asked, *watched)
    with changing_rules(lake) as held:
        name = _only_rule(one, can, held) if rule is None else rule
        one = _checked(asked, name, (timeframe, window, lookback), said)
        held[:] = [*(other for other in held if other.place != one.place), one]
    typer.echo(f"set {_in_words(one)}: opens at |z| > {one.rule.threshold:g} {when_taken(lake)}")


@alerts_app.command("remove")
def remove_rule(
    pair: PairArgument,
    rule: RuleOption = None,
    timeframe: Annotated[
        str | None, typer.Option(metavar="1s", help="Only of this timeframe.")
    ] = None,
    window: Annotated[int | None, typer.Option(metavar="N", help="Only of this window.")] = None,
    data: DataOption = Path("data"),
) -> None:
    """Take back what was set by hand for a pair.

    The configuration's rules are then as they were; a rule of its own watches no longer, and an
    alert of it that is open ends without being closed.
    """
    lake = Lake(data)
    require_lake(lake)
    asked = parse_pair(pair)
    with changing_rules(lake) as held:
        gone = [
            one
            for one in held
            if one.pair == asked
            and rule in (None, one.rule.name)
            and timeframe in (None, one.rule.timeframe)
            and window in (None, one.rule.window)
        ]
        if not gone:
            raise _not_set(asked, held)
        held[:] = [one for one in held if one not in gone]
    for one in gone:
        typer.echo(f"removed {_in_words(one)}: as the configuration has it {when_taken(lake)}")


def _checked(
    pair: Pair, name: str, series: tuple[str, str, str | None], said: Mapping[str, str | None]
) -> AddedRule:
    given = {key: value for key, value in said.items() if value is not None}
    try:
        # The values are texts as yet: the configuration's own checks read them.
        return rule_by_hand(pair, name, series, given, time.time())
    except ValidationError as error:
        raise InputError(explain_values(error)) from None


def _watchable(
    lake: Lake, pair: Pair, timeframe: str, window: int, lookback: int | None
) -> Watchable:
    """InputError where no rule can watch it."""
    added = [one.pair for one in read_added(lake)]
    with snapshot(lake.analytics_db) as db:
        if db is None:
            raise InputError(
                f"lake {lake.root}: no pair is analysed yet; start the analytics job first"
            )
        can = watchable(db, pair, timeframe, window, lookback)
    if can.refused:
        raise InputError(can.refused)
    if not can.followed and pair not in added:
        refuse_unknown(lake, pair)
        raise InputError(
            f"pair {pair.name} is not followed, so nothing is computed that a rule could watch; "
            f"first: spreadlake pairs add {pair.name} --data {shlex.quote(str(lake.root))}"
        )
    return can


def _only_rule(one: AddedRule, can: Watchable, held: Sequence[AddedRule]) -> str:
    """The rule that watches it, also one that was just set; by hand where none does."""
    just_set = [other.rule.name for other in held if other.place[1:] == one.place[1:]]
    names = list(dict.fromkeys([*can.rules, *just_set]))
    if len(names) > 1:
        raise InputError(
            f"{', '.join(names)} watch {_series(one)}; say which one with --rule NAME, or name a "
            "new one"
        )
    return names[0] if names else BY_HAND


def _not_set(pair: Pair, held: Sequence[AddedRule]) -> InputError:
    there = "; ".join(_in_words(one) for one in held)
    return InputError(
        f"nothing was set by hand for {pair.name} there"
        + (f"; set are: {there}" if there else ", nor for any other pair")
    )


def _series(one: AddedRule) -> str:
    return f"{one.pair.name} ({one.rule.timeframe} bars, window {one.rule.window})"


def _in_words(one: AddedRule) -> str:
    return f"rule {one.rule.name} on {_series(one)}"


def _print(lake: Lake, reports: Sequence[RuleReport], *, every: bool) -> None:
    if not reports:
        _print_none(lake)
        return
    pairs = count(len({one.pair for one in reports}), "pair")
    title, shown = first_rows(f"{pairs} watched, a row for each rule", reports, every=every)
    new_console().print(_table(title, shown, time.time()))


def _print_none(lake: Lake) -> None:
    """A rule that can be set, and how; or what has to be there first."""
    followed, data = read_followed_pairs(lake), shlex.quote(str(lake.root))
    if followed:
        pair = followed[0].pair
        then = f"set one: spreadlake alerts set {pair} --threshold 2 --data {data}"
    else:
        then = f"none is followed that one could watch: spreadlake pairs --data {data}"
    typer.echo(f"lake {lake.root}: no rule watches a pair; {then}")


def _table(title: str, reports: Sequence[RuleReport], now: float) -> "Table":
    from launcher.commands.status_tables import new_table  # noqa: PLC0415 rich is slow to import

    table = new_table(title, "rule", "pair", "bars", "window", "lookbacks", "|z| >", "from", "")
    for one in reports:
        source = "configuration"
        if one.since is not None:
            source = f"by hand, {age(now, one.since)}"
        said = dict(one.said or {})
        note = [f"{key} {value}" for key, value in said.items() if key != "threshold"]
        note += [count(one.open_alerts, "open alert")] if one.open_alerts else []
        note += [one.note] if one.note else []
        table.add_row(
            one.rule,
            one.pair,
            one.timeframe,
            str(one.window),
            ", ".join(map(str, one.lookbacks)),
            "–" if one.threshold is None else f"{one.threshold:g}",
            source,
            "; ".join(note),
        )
    return table
