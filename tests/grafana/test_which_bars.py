"""On which bars a kept pair is drawn where its roll-ups do not reach back over the whole range."""

import sqlite3
from contextlib import closing

import pytest

from tests.grafana.day_lake import DAY, KEPT, build_day
from tests.grafana.lake_fixture import FixtureLake
from tests.grafana.rendering import fill, query
from tests.grafana.test_queries import of

END = 1_900_000_007
HOUR = 3_600
CHARTS = of("z-score ·").sql
BEGINS = END + 1 - DAY + 65 * 60  # a window of 60 minutes after the first bar
REACHED = END + 1 - 10 * HOUR  # within the day, and within what SQLite has


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> FixtureLake:
    """A day of which SQLite has the rows of the newest half, and the roll-ups of all."""
    return build_day(tmp_path_factory.mktemp("day"), END, hot_hours=12)


def drawn(day: FixtureLake, *edits: str, hours: int = 24, **chosen: str) -> tuple[str, int]:
    """What is said of the newest hours and how far the line goes back, after these edits."""
    legs = {"symbol_a": KEPT.a, "symbol_b": KEPT.b}
    until = day.end + 1
    sql = fill(CHARTS, until - hours * HOUR, until, hours * 4, **legs | chosen)
    with closing(sqlite3.connect(day.lake.analytics_db)) as db:
        kept = {table: db.execute(f"SELECT * FROM {table}").fetchall()
                for table in ("progress", "series")}  # fmt: skip
        with db:
            for edit in edits:
                db.execute(edit)
        try:
            found = query(day.lake.root, sql)
        finally:
            with db:
                for table, rows in kept.items():
                    db.execute(f"DELETE FROM {table}")
                    marks = ", ".join("?" * len(rows[0]))
                    db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
    return str(found.row()["drawn"]).partition(",")[0], min(found.column("time"))


def test_from_its_roll_ups_where_they_are_of_the_whole_range(day: FixtureLake) -> None:
    bars, first = drawn(day)
    assert bars == "1s bars"
    assert first <= BEGINS


@pytest.mark.parametrize("record", ["rollups", "rollups_from"])
def test_on_longer_bars_where_they_are_not_made_yet_or_not_kept_any_more(
    day: FixtureLake, record: str
) -> None:
    """Whatever is said, the line begins with the range: nothing of it is left blank."""
    edit = f"INSERT INTO progress VALUES ('{record}:1s', {REACHED})"
    bars, first = drawn(day, edit)
    assert bars == "1m bars"
    assert first <= BEGINS
    assert drawn(day, edit, hours=4)[0] == "1s bars", "of these they are all there"
    of_1m = f"INSERT INTO progress VALUES ('{record}:1m', {REACHED})"
    assert drawn(day, of_1m)[0] == "1s bars", "it is of its own timeframe"


def test_other_prices_and_a_series_that_is_kept_no_longer_are_computed(day: FixtureLake) -> None:
    for bars, first in (drawn(day, prices="log"), drawn(day, "DELETE FROM series")):
        assert bars == "1m bars"
        assert first <= BEGINS
