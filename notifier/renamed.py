"""An event that is found again under another id is still the one that was told.

The id of an event is made of the bar that opened it. A late trade may move that bar, and so does an
edited rule or a new version's default, while people were told of the event already. So it is
remembered where and when each was that could be told: where one is gone, and another of the same
rule, pair, timeframe and window overlaps it, what was told of the one was told of the other.
"""

import sqlite3
from collections.abc import Iterable, Mapping

from notifier.news import AlertRow

_FOUND_AGAIN = """
SELECT id FROM alert_events WHERE rule = ? AND pair = ? AND timeframe = ? AND window_bars = ?
  AND opened_at <= ? AND (closed_at IS NULL OR closed_at >= ?)
ORDER BY abs(opened_at - ?)
"""


def remember(db: sqlite3.Connection, alerts: Iterable[AlertRow]) -> None:
    """Writes down where they are, and when; in the caller's transaction."""
    db.executemany(
        "INSERT INTO openings VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, ?, ?, NULL) "
        "ON CONFLICT DO UPDATE SET closed_at = excluded.closed_at, gone_ms = NULL, "
        "withdrawn_ms = NULL, "
        "lookback_bars = excluded.lookback_bars, threshold = excluded.threshold, "
        "opened_zscore = excluded.opened_zscore, peak_zscore = excluded.peak_zscore "
        "WHERE closed_at IS NOT excluded.closed_at OR gone_ms IS NOT NULL "
        "OR peak_zscore IS NOT excluded.peak_zscore",
        [
            (
                *(one.id, one.rule, one.pair, one.timeframe, one.window, one.opened_at),
                *(one.closed_at, one.lookback, one.threshold, one.opened_zscore, one.peak_zscore),
            )
            for one in alerts
        ],
    )


def remembered(db: sqlite3.Connection) -> list[int]:
    """The ids of those that are remembered."""
    return [row[0] for row in db.execute("SELECT event_id FROM openings")]


def follow(
    db: sqlite3.Connection,
    analytics: sqlite3.Connection,
    there: Mapping[int, AlertRow],
    now: float,
) -> None:
    """Renames what is gone and was found again; `there` are those remembered that are not gone.

    In the caller's transaction; `now` is Unix seconds.
    """
    gone = [one for one in remembered(db) if one not in there]
    db.executemany(
        "UPDATE openings SET gone_ms = ? WHERE event_id = ? AND gone_ms IS NULL",
        [(int(now * 1000), one) for one in gone],
    )
    for one in gone:
        if (other := _found_again(db, analytics, one)) is not None:
            db.execute("UPDATE news SET event_id = ? WHERE event_id = ?", (other, one))
            db.execute("DELETE FROM openings WHERE event_id = ?", (one,))


def forget(db: sqlite3.Connection, before: float) -> None:
    """Drops those that opened, or are gone, before a time (Unix s) and whose end nobody awaits.

    In the caller's transaction. An event that is gone for so long will not be found again.
    """
    db.execute(
        "DELETE FROM openings WHERE (gone_ms < ? OR (opened_at < ? AND NOT EXISTS ("
        "SELECT 1 FROM news WHERE news.event_id = openings.event_id AND NOT over))) "
        "AND NOT (withdrawn_ms IS NOT NULL AND EXISTS (SELECT 1 FROM news "
        "WHERE news.event_id = openings.event_id AND state = 'waiting'))",
        (int(before * 1000), before),
    )


def _found_again(db: sqlite3.Connection, analytics: sqlite3.Connection, gone: int) -> int | None:
    """Of those that overlap it, and of which nobody was told, the one that opened nearest to it."""
    *where, opened, closed, gone_ms = db.execute(
        "SELECT rule, pair, timeframe, window_bars, opened_at, closed_at, gone_ms FROM openings "
        "WHERE event_id = ?",
        (gone,),
    ).fetchone()
    last = gone_ms // 1000 if closed is None else closed
    for (other,) in analytics.execute(_FOUND_AGAIN, (*where, last, opened, opened)):
        if not db.execute("SELECT 1 FROM news WHERE event_id = ?", (other,)).fetchone():
            return int(other)
    return None
