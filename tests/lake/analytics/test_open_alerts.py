"""Who looks for open alerts, again and again, does not go through those that are over."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from analytics_job.alerts.screened import ScreenRule, known_screen_events
from analytics_job.screens.following import _alerted
from exporter.alerts import read_alerts
from spreadlake.lake import Lake, atomic, open_analytics_writer
from spreadlake.lake.analytics.screen_alerts import open_screen_alerts
from spreadlake.lake.analytics.screens import ScreenKey
from spreadlake.quant.screen_alerts import ScreenLevels
from spreadlake.status import LakeSnapshot
from spreadlake.status.analytics import read_open_alerts
from spreadlake.status.followed import _open_alerts
from tests.fixture_lake import add_screen_alert


def open_or_late(db: sqlite3.Connection) -> list[object]:
    """Those that are open, or ended in the hour before the last screen."""
    screen = ScreenKey("1m", 240, 60)
    levels = ScreenLevels(2.0, 1.0, 0.05, 0.0, None, 0.0, 20, 3_600.0)
    rules = [ScreenRule("screened", screen, levels)]
    known = known_screen_events(db, rules, 60 * (OVER + 60))
    return [one for events in known.values() for one in events]


READERS = [open_or_late, _alerted, open_screen_alerts, read_open_alerts, _open_alerts]
OVER = 2_000


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Many events that are over, and one that is open."""
    lake = Lake(tmp_path)
    with closing(open_analytics_writer(lake)) as db, atomic(db):
        for number in range(OVER):
            add_screen_alert(db, number, f"S{number % 50}/B", 60 * number, 2.5)
        db.execute("UPDATE alert_events SET closed_at = opened_at + 60, closed_zscore = 0")
        add_screen_alert(db, OVER, "A/B", 60 * OVER, 2.5)
    return lake


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_what_is_over_costs_nothing(
    lake: Lake, reader: Callable[[sqlite3.Connection], object]
) -> None:
    with closing(open_analytics_writer(lake)) as db:
        assert steps_of(db, lambda: reader(db)) < OVER
        found = reader(db)
    assert len(found) == 1  # type: ignore[arg-type]


def test_nor_to_a_scrape(lake: Lake) -> None:
    with LakeSnapshot(lake) as look:
        found = read_alerts(look)
        with look.database(lake.analytics_db) as db:
            assert db is not None
            assert steps_of(db, lambda: read_alerts(look)) < OVER
    assert len(found.active) == len(found.screened) == 1


def steps_of(db: sqlite3.Connection, work: Callable[[], object]) -> int:
    """Instructions of SQLite's machine that `work` took: the same everywhere."""
    count = 0

    def step() -> None:
        nonlocal count
        count += 1

    db.set_progress_handler(step, 1)
    try:
        work()
    finally:
        db.set_progress_handler(None, 1)
    assert count
    return count
