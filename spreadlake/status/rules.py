"""The alert rules on pair analytics: where each is from, what it watches, and how it is."""

import sqlite3
from collections import Counter
from dataclasses import dataclass

from spreadlake.config.added_rules import AddedRule, read_added_rules
from spreadlake.lake import Lake
from spreadlake.status.snapshots import snapshot

Place = tuple[str, str, str, int]


@dataclass(frozen=True)
class RuleReport:
    """A rule on a pair, timeframe and window; `source` is `configuration` or `hand`.

    `threshold` and `lookbacks` are what the job watches by now; `since` and `said` are of what was
    set by hand. `note` says what is still to come of a change.
    """

    rule: str
    pair: str
    timeframe: str
    window: int
    lookbacks: list[int]
    threshold: float | None
    source: str
    open_alerts: int
    since: int | None = None
    said: dict[str, object] | None = None
    note: str = ""


def read_rules(lake: Lake) -> list[RuleReport]:
    """Those that were set by hand first. LakeError where the file of these is wrong."""
    added = {one.place: one for one in read_added_rules(lake)}
    with snapshot(lake.analytics_db) as db:
        watched = {} if db is None else _watched(db)
        alerts = Counter[Place]() if db is None else _open_alerts(db)
    places = dict.fromkeys([*added, *watched])
    return [_report(at, watched.get(at), added.get(at), alerts[at]) for at in places]


def _report(
    at: Place, watched: tuple[list[int], float] | None, added: AddedRule | None, alerts: int
) -> RuleReport:
    lookbacks, threshold = watched or ([], None)
    if added is None:
        return RuleReport(*at, lookbacks, threshold, "configuration", alerts)
    note = ""
    if threshold is None:
        note = "not watched: the pair is not followed, its series not computed, or not yet"
    elif threshold != added.rule.threshold:
        note = "not watched at this threshold yet"
    return RuleReport(*at, lookbacks, threshold, "hand", alerts, added.since, added.said, note)


def _watched(db: sqlite3.Connection) -> dict[Place, tuple[list[int], float]]:
    """Lookbacks and threshold."""
    found: dict[Place, tuple[list[int], float]] = {}
    for *place, lookback, threshold in db.execute(
        "SELECT rule, pair, timeframe, window_bars, lookback_bars, threshold FROM alert_rules "
        "ORDER BY rule, pair, timeframe, window_bars, lookback_bars"
    ):
        rule, pair, timeframe, window = place
        known = found.setdefault((rule, pair, timeframe, window), ([], threshold))
        known[0].append(lookback)
    return found


def _open_alerts(db: sqlite3.Connection) -> Counter[Place]:
    return Counter(
        (rule, pair, timeframe, window)
        for rule, pair, timeframe, window in db.execute(
            "SELECT rule, pair, timeframe, window_bars FROM alert_events WHERE closed_at IS NULL"
        )
    )
