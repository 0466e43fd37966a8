"""An event that is told as open and is no event any more: nobody else will tell of its end.

Its rule was taken away or edited while it was open, or its bars changed. A rebuild takes events
back too and finds them again, so one whose rule is still there is waited for.
"""

import sqlite3
from collections.abc import Iterable

from notifier.news import AlertRow

# A configuration is saved in steps: a rule that comes back within this time was never away.
_RULE_SECONDS = 60.0

_GONE = """
SELECT event_id, gone_ms, rule, pair, timeframe, window_bars, lookback_bars
FROM openings AS o WHERE withdrawn_ms IS NULL AND closed_at IS NULL
  AND opened_zscore IS NOT NULL AND gone_ms <= ?
  AND EXISTS (SELECT 1 FROM news WHERE news.event_id = o.event_id AND NOT over)
"""
_HAS_RULE = """
SELECT 1 FROM alert_rules
WHERE rule = ? AND pair = ? AND timeframe = ? AND window_bars = ? AND lookback_bars = ?
"""
_ROW = """
SELECT event_id, rule, pair, timeframe, window_bars, lookback_bars, threshold, opened_at,
  opened_zscore, peak_zscore, withdrawn_ms / 1000, NULL
FROM openings WHERE withdrawn_ms IS NOT NULL AND event_id = ?
"""


def withdraw(
    db: sqlite3.Connection, analytics: sqlite3.Connection, now: float, patience: float
) -> None:
    """Writes down the end of those, to be told to whom the opening was told.

    In the caller's transaction; `now` is Unix seconds. One whose rule is still there is waited for
    `patience` seconds.
    """
    early, late = (int((now - wait) * 1000) for wait in (_RULE_SECONDS, patience))
    for event, gone_ms, *rule in db.execute(_GONE, (max(early, late),)).fetchall():
        is_watched = analytics.execute(_HAS_RULE, rule).fetchone() is not None
        if gone_ms <= (late if is_watched else early):
            _write(db, event, int(now * 1000))


def withdrawn_rows(db: sqlite3.Connection, ids: Iterable[int]) -> dict[int, AlertRow]:
    """Those of `ids` that were withdrawn, as they were last, by id."""
    found = (row for one in ids for row in db.execute(_ROW, (one,)))
    return {row[0]: AlertRow(*row)._replace(withdrawn=True) for row in found}


def _write(db: sqlite3.Connection, event: int, now_ms: int) -> None:
    db.execute("UPDATE openings SET withdrawn_ms = ? WHERE event_id = ?", (now_ms, event))
    db.execute(
        "INSERT OR IGNORE INTO news(event_id, what, target, state, seen_ms, over) "
        "SELECT event_id, 'closed', target, 'waiting', ?, 1 FROM news "
        "WHERE event_id = ? AND what = 'opened' AND state = 'told' AND NOT over",
        (now_ms, event),
    )
    # Who was not told yet has no need to be.
    db.execute(
        "DELETE FROM news WHERE event_id = ? AND what = 'opened' AND state = 'waiting'", (event,)
    )
    db.execute("UPDATE news SET over = 1 WHERE event_id = ? AND what = 'opened'", (event,))
