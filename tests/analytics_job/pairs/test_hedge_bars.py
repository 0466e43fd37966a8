"""Rows say how many bars their hedge ratio is over, and rules do not open on a young one."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from analytics_job.job import AnalyticsJob
from spreadlake.config import Settings
from spreadlake.lake import atomic, open_analytics_writer, open_reader
from spreadlake.status import read_latest_pairs
from tests.analytics_job import harness, oracle
from tests.analytics_job.markets import walk

SYMBOLS = ["AUSDT", "BUSDT"]
WINDOW, LOOKBACK, SECONDS = 10, 80, 200
TRADES = walk(SYMBOLS, SECONDS, seed=5, per_second=3.0)
SHARES = (0.0, 0.5, 1.0)
OLD = Path(__file__).parents[2] / "lake" / "versions" / "analytics_1.sql"


# Every crossing is an event.
PLAIN = {"close_below": 1.2, "min_seconds": 0, "quiet_seconds": 0}


def _config(*alerts: dict[str, Any]) -> Settings:
    return harness.settings(
        symbols=SYMBOLS,
        timeframes=["1s"],
        windows=[WINDOW],
        lookbacks=[LOOKBACK],
        max_stale_bars=20,
        alerts=[{"window": WINDOW, "threshold": 1.2, **PLAIN, **alert} for alert in alerts],
    )


RULES = _config(
    {"name": "default"},
    *({"name": f"from {share}", "min_hedge_bars": share} for share in SHARES),
)


def _analysed(root: Path, config: Settings = RULES, batch: int = 40) -> harness.TestLake:
    batches = [TRADES[at : at + batch] for at in range(0, len(TRADES), batch)]
    return harness.run_job(root, config, batches)


def _events(lake: harness.TestLake, rule: str) -> list[Any]:
    rows = [row for row in lake.table("alert_events") if row["rule"] == rule]
    names = ("opened_at", "opened_zscore", "peak_zscore", "closed_at", "closed_zscore")
    return sorted(tuple(row[name] for name in names) for row in rows)


def test_rows_and_status_say_how_many_bars_there_were(tmp_path: Path) -> None:
    lake = _analysed(tmp_path)
    rows = lake.table("pair_analytics")
    first = rows[0]["time"] - WINDOW + 1
    assert [row["hedge_bars"] for row in rows] == [
        min(LOOKBACK, row["time"] - first + 1) for row in rows
    ]
    assert rows[0]["hedge_bars"] == WINDOW
    assert [row["hedge_bars"] for row in lake.table("pair_status")] == [LOOKBACK]
    lake.close()


def test_the_status_of_a_young_series(tmp_path: Path) -> None:
    lake = harness.run_job(tmp_path, RULES, [TRADES[:150]])
    (status,) = lake.table("pair_status")
    newest = lake.table("pair_analytics")[-1]
    assert WINDOW < status["hedge_bars"] == newest["hedge_bars"] < LOOKBACK
    bars = status["hedge_bars"]
    assert status["message"] == f"ready: hedge ratio over {bars} bars, growing to {LOOKBACK}"
    lake.close()


@pytest.mark.parametrize("batch", [10, 10_000])
def test_a_rule_opens_once_its_share_of_the_lookback_is_there(tmp_path: Path, batch: int) -> None:
    lake = _analysed(tmp_path, batch=batch)
    rows = {row["time"]: row for row in lake.table("pair_analytics")}
    opened = []
    for share in SHARES:
        want = oracle.alert_events(rows, 1.2, share * LOOKBACK)
        assert _events(lake, f"from {share}") == want
        opened.append({event[0] for event in want})
    assert len(opened[0]) > len(opened[1]) > len(opened[2]) > 0
    assert _events(lake, "default") == _events(lake, "from 1.0")
    lake.close()


def test_another_share_finds_the_events_of_history_anew(tmp_path: Path) -> None:
    lake = _analysed(tmp_path, _config({"name": "rule"}))
    before = _events(lake, "rule")
    AnalyticsJob(lake.lake, _config({"name": "rule", "min_hedge_bars": 0})).close()
    after = _events(lake, "rule")
    assert len(after) > len(before)
    AnalyticsJob(lake.lake, _config({"name": "rule"})).close()
    assert _events(lake, "rule") == before
    lake.close()


def test_rows_of_before_are_computed_again(tmp_path: Path) -> None:
    """An older version kept no hedge_bars, and another definition of its series."""
    lake = _analysed(tmp_path)
    want = lake.tables()
    with closing(open_analytics_writer(lake.lake)) as db, atomic(db):
        db.execute("UPDATE pair_analytics SET hedge_bars = NULL")
        db.execute("UPDATE pair_status SET hedge_bars = NULL")
        db.execute("""UPDATE series SET definition = '{"max_stale_bars": 20, "kalman": [1, 1]}'""")
    with closing(AnalyticsJob(lake.lake, RULES)) as job:
        job.step()
    assert lake.tables() == want
    lake.close()


def test_a_lake_of_before_is_read_as_it_is(tmp_path: Path) -> None:
    """`status`, the exporter and the screen may see it before the job does."""
    root = tmp_path / "old"
    root.mkdir()
    with closing(sqlite3.connect(root / "analytics.db")) as old:
        old.executescript(OLD.read_text(encoding="utf-8") + "PRAGMA user_version=1;")
        old.execute("INSERT INTO pair_status VALUES ('A/B', '1s', 60, 300, 'ready', 70, 60, '')")
        old.commit()
    with closing(open_reader(root / "analytics.db")) as db:
        (pair,) = read_latest_pairs(db)
    assert (pair.state, pair.hedge_bars) == ("ready", None)
