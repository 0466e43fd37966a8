"""The pairs that the live screens choose: kept in `screen_choices`, and followed by the job."""

import logging
import sqlite3
from collections.abc import Iterable, Mapping

from analytics_job.screens.taking import COLUMNS, TakenScreen
from spreadlake.config import Settings
from spreadlake.lake.analytics.screens import ScreenKey
from spreadlake.pairs import FollowedPair, Pair, parse_pair
from spreadlake.quant.screen_choice import Choice, Rule, Screened, choose
from spreadlake.times import timeframe_seconds

log = logging.getLogger(__name__)

_SELECT = "SELECT pair, since, times_in, times_out, place, why FROM screen_choices ORDER BY pair"
_INSERT = "INSERT INTO screen_choices VALUES (?, ?, ?, ?, ?, ?)"
_A, _B, _Q = (COLUMNS.index(name) for name in ("symbol_a", "symbol_b", "qvalue"))


def with_choices(db: sqlite3.Connection, settings: Settings) -> Settings:
    """The settings with the pairs that the screens chose, where these are to be followed.

    Where not, what they chose before is forgotten.
    """
    if settings.pairs == "screen":
        chosen = [one for one in _read(db) if one.followed]
        return settings.following(
            FollowedPair(one.pair, "screen", one.since, one.why) for one in chosen
        )
    db.execute("DELETE FROM screen_choices")
    return settings


def follow_screen(
    db: sqlite3.Connection, settings: Settings, key: ScreenKey, taken: TakenScreen
) -> bool:
    """Lets a new screen choose, in the caller's transaction; whether other pairs are chosen now."""
    if settings.pairs != "screen":
        return False
    screened = [Screened(Pair(row[_A], row[_B]), row[_Q]) for row in taken.rows]
    close = taken.summary.time + timeframe_seconds(key.timeframe)
    rule = Rule(settings.screen.pairs, settings.screen.max_qvalue)
    before = _read(db)
    after = choose(before, screened, close, rule, _alerted(db))
    db.execute("DELETE FROM screen_choices")
    db.executemany(_INSERT, [(one.pair.name, *one[1:]) for one in after])
    return _told(_chosen(before), _chosen(after))


def _read(db: sqlite3.Connection) -> list[Choice]:
    return [
        Choice(parse_pair(pair), since, times_in, times_out, bool(place), why)
        for pair, since, times_in, times_out, place, why in db.execute(_SELECT).fetchall()
    ]


def _chosen(choices: Iterable[Choice]) -> dict[Pair, str]:
    return {one.pair: one.why for one in choices if one.followed}


def _told(before: Mapping[Pair, str], after: Mapping[Pair, str]) -> bool:
    """Tells who comes and who goes; whether anybody does."""
    for pair, why in after.items():
        if pair not in before:
            log.info("%s is followed from now on: %s", pair.name, why)
    for pair in before.keys() - after.keys():
        log.info("%s is no longer followed: screens do not find it any more", pair.name)
    return before.keys() != after.keys()


def _alerted(db: sqlite3.Connection) -> set[frozenset[str]]:
    """The pairs that have an open alert, of whatever rule."""
    rows = db.execute("SELECT pair FROM alert_events WHERE closed_at IS NULL")
    return {frozenset(parse_pair(pair)) for (pair,) in rows.fetchall()}
