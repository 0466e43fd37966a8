"""Events of alert rules on the live screen, with what it said of their pairs, for who reads them.

An older lake that its job has not opened since has none.
"""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from spreadlake.lake.databases.meta import has_table


class OpenScreenAlert(NamedTuple):
    """An open event; `zscore`, `edge_bps` and `half_life` (bars) are of the screen that opened it.

    `opened` is how many events the rule has opened of this pair so far.
    """

    pair: str
    timeframe: str
    window: int
    lookback: int
    rule: str
    threshold: float
    zscore: float
    edge_bps: float
    half_life: float | None
    opened: int


class ScreenRuleCount(NamedTuple):
    """What a rule opened, and how many pairs of the newest screen met it and found no place."""

    rule: str
    opened: int
    left_out: int


# In this order: there are few open events, and many that are over.
_OPEN = """
SELECT e.pair, e.timeframe, e.window_bars, e.lookback_bars, e.rule, e.threshold, e.opened_zscore,
  s.edge_bps, s.half_life,
  (SELECT count(*) FROM alert_events AS every WHERE every.rule = e.rule AND every.pair = e.pair
    AND every.timeframe = e.timeframe AND every.window_bars = e.window_bars
    AND every.lookback_bars = e.lookback_bars)
FROM alert_events AS e CROSS JOIN screen_alerts AS s ON s.event_id = e.id
WHERE e.closed_at IS NULL
"""


def open_screen_alerts(db: sqlite3.Connection) -> list[OpenScreenAlert]:
    """The open events of all rules on the screen; what is over costs nothing."""
    if not has_table(db, "screen_alerts"):
        return []
    return [OpenScreenAlert(*row) for row in db.execute(_OPEN)]


def screen_rule_counts(db: sqlite3.Connection) -> list[ScreenRuleCount]:
    """The rules on the screen, by name."""
    if not has_table(db, "screen_alerts"):
        return []
    rows = db.execute("SELECT rule, opened, left_out FROM screen_rules ORDER BY rule")
    return [ScreenRuleCount(*row) for row in rows]


def screen_rule_timeframes(db: sqlite3.Connection) -> set[str]:
    """The timeframes of the screens that rules watch."""
    if not has_table(db, "screen_alerts"):
        return set()
    return {row[0] for row in db.execute("SELECT DISTINCT timeframe FROM screen_rules")}


def said_of(db: sqlite3.Connection, ids: Sequence[int]) -> dict[int, tuple[float, float | None]]:
    """Edge (bps) and half-life (bars) of those of the events that a screen opened."""
    if not (ids and has_table(db, "screen_alerts")):
        return {}
    rows = db.execute(
        "SELECT event_id, edge_bps, half_life FROM screen_alerts "
        f"WHERE event_id IN ({', '.join('?' * len(ids))})",
        ids,
    )
    return {number: (edge, half_life) for number, edge, half_life in rows}
