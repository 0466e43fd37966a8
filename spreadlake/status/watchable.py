"""Whether an alert rule can watch a series, and the command that sets one there."""

import shlex
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from spreadlake.config.checks import what_is_computed
from spreadlake.pairs import Pair

_DEFAULT_FOLDER = Path("data")


class Watchable(NamedTuple):
    """Of a pair, timeframe, window and lookback (None: all of them).

    `refused` says why no rule can watch it, empty where one can; `followed` whether the pair is
    followed already; `rules` are those that watch it now, or would as soon as it is followed.
    """

    refused: str
    followed: bool
    rules: list[str]


def watchable(
    db: sqlite3.Connection, pair: Pair, timeframe: str, window: int, lookback: int | None
) -> Watchable:
    """Reads a few rows, however many pairs there are."""
    kinds = _kinds(db, pair.name)
    followed = bool(kinds)
    if not followed and _kinds(db, pair.turned.name):
        told = f"pair {pair.name} is followed the other way round, as {pair.turned.name}"
        return Watchable(f"{told}: a rule is set on that one", False, [])
    rules = (
        _rules(db, pair.name, timeframe, window, lookback)
        if followed
        else _rules_on_all(db, timeframe, window)
    )
    asked: tuple[object, ...] = (timeframe, window, lookback)
    for at, key in enumerate(("timeframe", "window", "lookback")):
        known = list(dict.fromkeys(kind[at] for kind in kinds or _kinds_of_any(db)))
        if known and asked[at] is not None and asked[at] not in known:
            told = f"the series is of {what_is_computed(key, asked[at], known)}"
            return Watchable(told, followed, rules)
    return Watchable("", followed, rules)


def command_to_set(
    pair: Pair,
    series: tuple[str, int, int],
    threshold: float,
    can: Watchable,
    root: Path,
    program: str = "spreadlake",
) -> list[str]:
    """Lines to paste, one for each rule that watches the series now, or one for a new rule.

    A pair that is not followed is added first. `program` may be several words.
    """
    timeframe, window, lookback = series
    folder = "" if root == _DEFAULT_FOLDER else f" --data {shlex.quote(str(root))}"
    start = "" if can.followed else f"{program} pairs add {pair.name}{folder} && "
    line = f"{start}{program} alerts set {pair.name} --timeframe {timeframe} --window {window}"
    if not can.rules:
        return [f"{line} --lookback {lookback} --threshold {threshold:.12g}{folder}"]
    named = len(can.rules) > 1
    return [
        f"{line}{f' --rule {shlex.quote(rule)}' * named} --threshold {threshold:.12g}{folder}"
        for rule in can.rules
    ]


_OF_PAIR = """
SELECT DISTINCT timeframe, window_bars, lookback_bars FROM series WHERE pair = {}
ORDER BY timeframe, window_bars, lookback_bars
"""


def _kinds(db: sqlite3.Connection, pair: str) -> Sequence[tuple[str, int, int]]:
    return db.execute(_OF_PAIR.format("?"), [pair]).fetchall()


def _kinds_of_any(db: sqlite3.Connection) -> Sequence[tuple[str, int, int]]:
    """All pairs have the same."""
    return db.execute(_OF_PAIR.format("(SELECT pair FROM series LIMIT 1)")).fetchall()


def _rules(
    db: sqlite3.Connection, pair: str, timeframe: str, window: int, lookback: int | None
) -> list[str]:
    """The primary key of `alert_rules` begins with the rule, of which there are few."""
    rows = db.execute(
        "SELECT DISTINCT rule FROM alert_rules WHERE pair = ? AND timeframe = ? "
        "AND window_bars = ? AND (? IS NULL OR lookback_bars = ?) ORDER BY rule",
        [pair, timeframe, window, lookback, lookback],
    )
    return [rule for (rule,) in rows]


def _rules_on_all(db: sqlite3.Connection, timeframe: str, window: int) -> list[str]:
    """Those that watch every pair there is."""
    rows = db.execute(
        "SELECT rule FROM alert_rules WHERE timeframe = ? AND window_bars = ? GROUP BY rule "
        "HAVING count(DISTINCT pair) = (SELECT count(DISTINCT pair) FROM series) ORDER BY rule",
        [timeframe, window],
    )
    return [rule for (rule,) in rows]
