"""`spreadlake pairs`: which pairs are followed and who asked for them; adds and removes some."""

import shlex
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from launcher.commands.by_hand import JsonOption, ListsAlone, echo_json, first_rows, when_taken
from launcher.commands.options import DataOption, refuse_before_word
from launcher.commands.output import new_console
from spreadlake.errors import InputError
from spreadlake.lake import Lake, open_reader
from spreadlake.lake.added_pairs import added, changing_added
from spreadlake.lake.analytics.followed import read_chosen, read_followed
from spreadlake.lake.ticks.universe import captured_symbols
from spreadlake.pairs import FollowedPair, Pair, parse_pair
from spreadlake.status import (
    FollowedReport,
    read_followed_pairs,
    report_symbols,
    require_lake,
    snapshot,
)
from spreadlake.status.ticks import read_identity
from spreadlake.words import age, count

if TYPE_CHECKING:
    from rich.table import Table

_MOST_NAMED = 10  # symbols, in a message
_NEAREST = 3
_ALIKE = 0.75  # of 1: what ends in USDT is alike by that alone
_LEGS = 2
_FROM = {"configuration": "configuration", "hand": "added by hand", "screen": "screen"}

pairs_app = typer.Typer(
    cls=ListsAlone,
    invoke_without_command=True,
    add_completion=False,
    help="List, add and remove the pairs that are followed.\n\nAlone it lists them, with who asked "
    "for each: the configuration, the screen, or somebody by hand.",
)

PairsArgument = Annotated[
    list[str], typer.Argument(metavar="A/B", help="The pair, such as BTCUSDT/ETHUSDT.")
]


@pairs_app.callback()
def pairs(
    context: typer.Context,
    data: DataOption = Path("data"),
    every: Annotated[bool, typer.Option("--all", help="Each pair, however many.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List, add and remove the pairs that are followed."""
    if context.invoked_subcommand is not None:
        refuse_before_word(context, "pairs")
        return
    lake = Lake(data)
    require_lake(lake)
    reports = read_followed_pairs(lake)
    if as_json:
        echo_json(lake, "pairs", reports)
    else:
        _print(lake, reports, every=every)


@pairs_app.command("add")
def add(pairs: PairsArgument, data: DataOption = Path("data")) -> None:
    """Follow pairs beside those of the configuration, from now on and with their history.

    Nothing has to run, and nothing starts again: the analytics job takes them on within a second or
    two, or when it runs next. They are kept in pairs.json of the lake.
    """
    lake = Lake(data)
    require_lake(lake)
    wanted = _parsed(pairs)
    for pair in wanted:
        refuse_unknown(lake, pair)
    with changing_added(lake) as held:
        known = {frozenset(one.pair): one for one in (*_followed(lake), *held)}
        for pair in wanted:
            _refuse_followed(pair, known.get(frozenset(pair)))
        held += [added(pair, time.time()) for pair in wanted]
    _tell(lake, wanted, "added", "followed")


@pairs_app.command("remove")
def remove(pairs: PairsArgument, data: DataOption = Path("data")) -> None:
    """Follow pairs no longer that were added by hand.

    What was computed of them stays. An alert of theirs that is open ends without being closed.
    """
    lake = Lake(data)
    require_lake(lake)
    wanted = _parsed(pairs)
    with changing_added(lake) as held:
        known = {frozenset(one.pair): one for one in _followed(lake)}
        for pair in wanted:
            if pair not in [one.pair for one in held]:
                raise _not_added(pair, held, known.get(frozenset(pair)))
        held[:] = [one for one in held if one.pair not in wanted]
    still = dict.fromkeys(_chosen(lake), "screen")
    still |= {one.pair: one.source for one in known.values() if one.source != "hand"}
    _tell(lake, [pair for pair in wanted if pair not in still], "removed", "no longer followed")
    for pair in wanted:
        if pair in still:
            asks = f"the {_FROM[still[pair]]} asks for it too"
            typer.echo(f"removed {pair.name}; it stays followed: {asks}")


def _parsed(texts: Sequence[str]) -> list[Pair]:
    """InputError for what is no pair, and for one that is there twice, either way round."""
    parsed: dict[frozenset[str], Pair] = {}
    for text in texts:
        pair = parse_pair(text)
        before = parsed.setdefault(frozenset(pair), pair)
        if before is not pair:
            same = "twice" if before == pair else f"the other way round as well, {before.name}"
            raise InputError(f"pair {pair.name} is there {same}; name it once")
    return list(parsed.values())


def known_symbols(lake: Lake) -> list[str]:
    """Those that are captured, then those of which the lake has trades or bars."""
    names: list[str] = []
    if lake.ticks_db.exists():
        with closing(open_reader(lake.ticks_db)) as db:
            names += captured_symbols(db) or []
            names += [one.symbol for one in report_symbols(db)]
    with snapshot(lake.analytics_db) as analytics:
        if analytics is not None:
            rows = analytics.execute("SELECT DISTINCT symbol FROM first_bars ORDER BY symbol")
            names += [symbol for (symbol,) in rows]
    return list(dict.fromkeys(names))


def _followed(lake: Lake) -> list[FollowedPair]:
    """What the job follows, or last did."""
    with snapshot(lake.analytics_db) as db:
        return [] if db is None else read_followed(db)


def _chosen(lake: Lake) -> list[Pair]:
    """What the screens chose, whoever asked for it as well."""
    with snapshot(lake.analytics_db) as db:
        return [] if db is None else read_chosen(db)


def refuse_unknown(lake: Lake, pair: Pair) -> None:
    """InputError where a leg is no symbol of the lake."""
    symbols = known_symbols(lake)
    for leg in pair:
        if leg not in symbols:
            others = [symbol for symbol in symbols if symbol not in pair]
            near = get_close_matches(leg, others, _NEAREST, _ALIKE)
            meant = f"; did you mean {' or '.join(near)}? Its" if near else "; its"
            more = f" and {len(symbols) - _MOST_NAMED} more" if len(symbols) > _MOST_NAMED else ""
            there = ", ".join(symbols[:_MOST_NAMED]) + more if symbols else "none yet"
            raise InputError(
                f"pair {pair.name}: {leg} is not captured, and the lake has nothing of it{meant} "
                f"symbols are {there}. Add {leg} to symbols in {_configuration_of(lake)} first"
            )


def _configuration_of(lake: Lake) -> str:
    """The one that counts: a demo reads none but the one that it is given."""
    with snapshot(lake.ticks_db) as db:
        is_demo = db is not None and read_identity(db)[0] == "demo"
    return "a configuration that the demo is given (--config)" if is_demo else "the configuration"


def _refuse_followed(pair: Pair, other: FollowedPair | None) -> None:
    """A pair of the screen may be added: it is then followed for good."""
    if other is None or (other.pair == pair and other.source == "screen"):
        return
    name = other.pair.name
    if other.pair == pair:
        where = "pairs of the configuration asks for it" if other.source != "hand" else "by hand"
        raise InputError(f"pair {name} is followed already ({where}); nothing was added")
    remedy = {
        "configuration": "turn it round in pairs of the configuration",
        "hand": f"remove that first: spreadlake pairs remove {name}",
        "screen": f"add {name}, which the screen found the better way round",
    }[other.source]
    raise InputError(f"pair {pair.name} is followed the other way round, as {name}; {remedy}")


def _not_added(pair: Pair, held: Iterable[FollowedPair], other: FollowedPair | None) -> InputError:
    names = [one.pair.name for one in held]
    if pair.turned.name in names:
        return InputError(
            f"pair {pair.name} was added the other way round: spreadlake pairs remove "
            f"{pair.turned.name}"
        )
    if other is not None and other.source == "configuration":
        return InputError(
            f"pair {other.pair.name} was not added by hand: the configuration asks for it; edit "
            "pairs there, which takes effect at once"
        )
    if other is not None and other.source == "screen":
        return InputError(
            f"pair {other.pair.name} was not added by hand: the screen chose it, and it leaves "
            "when screens no longer find it; screen.pairs in the configuration says how many "
            "there are"
        )
    there = f"those are {', '.join(names)}" if names else "none was"
    return InputError(f"pair {pair.name} was not added by hand; {there}")


def _tell(lake: Lake, pairs: Sequence[Pair], done: str, state: str) -> None:
    if not pairs:
        return
    names = ", ".join(pair.name for pair in pairs)
    typer.echo(f"{done} {names}: {state} {when_taken(lake)}")


def _print(lake: Lake, reports: Sequence[FollowedReport], *, every: bool) -> None:
    if not reports:
        _print_none(lake)
        return
    title, shown = first_rows(count(len(reports), "pair"), reports, every=every)
    new_console().print(_table(title, shown, time.time()))


def _print_none(lake: Lake) -> None:
    """What can be added, and how; or what has to be there first."""
    symbols, data = known_symbols(lake), shlex.quote(str(lake.root))
    if len(symbols) < _LEGS:
        then = "the lake has no two symbols yet: start spreadlake on it, or import trades"
    else:
        then = f"add one: spreadlake pairs add {symbols[0]}/{symbols[1]} --data {data}"
        if not lake.analytics_db.exists():
            then += ", or start the analytics job, which follows those of the configuration"
    typer.echo(f"lake {lake.root}: no pair is followed; {then}")


def _table(title: str, reports: Sequence[FollowedReport], now: float) -> "Table":
    from launcher.commands.status_tables import new_table  # noqa: PLC0415 rich is slow to import

    table = new_table(title, "pair", "from", "since", "series", "why")
    for one in reports:
        since = "" if one.since is None else age(now, one.since)
        states = [f"{number} {state}" for state, number in one.states.items()]
        states += [count(one.open_alerts, "open alert")] if one.open_alerts else []
        why = "; ".join(filter(None, (one.why, one.note)))
        table.add_row(one.pair, _FROM[one.source], since, ", ".join(states), why)
    return table
