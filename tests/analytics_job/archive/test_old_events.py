"""Alert events go when they were over long ago; those that are open never do."""

from contextlib import closing
from pathlib import Path

from analytics_job.archive import old_events
from analytics_job.archive.retention import Retention
from spreadlake.lake import Lake, atomic, open_analytics_writer
from tests.fixture_lake import add_screen_alert

NOW = 1_800_000_000
DAY = 86_400


def test_what_was_over_long_ago_goes_and_what_is_open_stays(tmp_path: Path) -> None:
    with closing(open_analytics_writer(Lake(tmp_path))) as db:
        ends = [NOW - 90 * DAY - 1, NOW - 90 * DAY, NOW, None]
        with atomic(db):
            db.executemany(
                "INSERT INTO alert_events VALUES (?, 'z', 'A/B', '1s', 60, 300, 2, ?, 3, 3, ?, 1)",
                [(number, NOW - 200 * DAY + number, end) for number, end in enumerate(ends)],
            )
            db.executemany(
                "INSERT INTO alert_events VALUES (?, 'z', 'A/C', '1s', 60, 300, 2, ?, 3, 3, ?, 1)",
                [(100 + n, n, n + 5) for n in range(2 * old_events._EVENTS)],
            )
            for number, at in ((90, NOW - 100 * DAY), (91, NOW - 100 * DAY + 60)):
                add_screen_alert(db, number, "SOLUSDT/BTCUSDT", at, 2.75)
            db.execute("UPDATE alert_events SET closed_at = opened_at + 5 WHERE id = 90")
        retention = Retention(db, Lake(tmp_path), {}, None, 90.0)
        while retention.roll_piece(NOW * 1000):
            pass
        left = [row[0] for row in db.execute("SELECT id FROM alert_events ORDER BY id")]
        assert left == [1, 2, 3, 91]
        assert db.execute("SELECT event_id FROM screen_alerts").fetchall() == [(91,)]


def test_they_are_found_by_their_end(tmp_path: Path) -> None:
    with closing(open_analytics_writer(Lake(tmp_path))) as db:
        plan = db.execute(f"EXPLAIN QUERY PLAN {old_events._OLD}", (NOW, 9)).fetchall()
        assert [row[3] for row in plan] == [
            "SEARCH alert_events USING COVERING INDEX alert_events_by_end (closed_at<?)"
        ]
