"""The pairs that are followed, with who asked for them, since when, and how they are."""

import sqlite3
from collections import Counter

from spreadlake.lake import Lake
from spreadlake.lake.added_pairs import read_added
from spreadlake.lake.analytics.followed import read_followed
from spreadlake.pairs import FollowedPair
from spreadlake.status.model import FollowedReport
from spreadlake.status.snapshots import snapshot

_BY_HAND_FIRST = {"hand": 0, "screen": 1, "configuration": 2}


def read_followed_pairs(lake: Lake) -> list[FollowedReport]:
    """Those of `analytics.db`, and of those added by hand also what the job has yet to see.

    Those added by hand come first, then those of the screen. LakeError where the file of added
    pairs is wrong.
    """
    added = {one.pair.name: one for one in read_added(lake)}
    with snapshot(lake.analytics_db) as db:
        followed = [] if db is None else read_followed(db)
        states, alerts = _states(db), _open_alerts(db)
    reports = [
        FollowedReport(
            name,
            one.source,
            one.since,
            one.why,
            states.get(name, {}),
            alerts.get(name, 0),
            _note(one, name in added),
        )
        for one, name in ((one, one.pair.name) for one in followed)
    ]
    known = {frozenset(one.pair): one for one in followed}
    for name, one in added.items():
        other = known.get(frozenset(one.pair))
        if other is None or other.pair != one.pair:
            note = "not followed yet" if other is None else f"followed as {other.pair.name}"
            reports.append(FollowedReport(name, "hand", one.since, one.why, {}, 0, note))
    return sorted(reports, key=lambda one: (_BY_HAND_FIRST[one.source], one.pair))


def _note(one: FollowedPair, added: bool) -> str:
    if one.source == "hand":
        return "" if added else "removed, and still followed"
    return "added by hand as well" if added else ""


def _states(db: sqlite3.Connection | None) -> dict[str, dict[str, int]]:
    states: dict[str, dict[str, int]] = {}
    if db is not None:
        for pair, state, number in db.execute(
            "SELECT pair, state, count(*) FROM pair_status GROUP BY pair, state ORDER BY state"
        ):
            states.setdefault(pair, {})[state] = number
    return states


def _open_alerts(db: sqlite3.Connection | None) -> Counter[str]:
    if db is None:
        return Counter()
    return Counter(
        pair for (pair,) in db.execute("SELECT pair FROM alert_events WHERE closed_at IS NULL")
    )
