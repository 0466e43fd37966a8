"""A rebuild whose slow statistics are computed on a cluster is that of one process."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spreadlake.lake import Lake, atomic, open_ticks_writer
from tests.running import run

SYMBOLS = [f"{letter}USDT" for letter in "ABCD"]
START_MS = 1_785_000_000_000 // 86_400_000 * 86_400_000
SECONDS = 1_500
TABLES = (
    "bars", "pair_analytics", "pair_tests", "pair_rollups", "alert_events", "alert_counts",
    "tests_due", "rows_due", "hours_due", "breaks", "first_bars", "series", "pair_status",
)  # fmt: skip
CONFIG = f"""
symbols = {SYMBOLS!r}
pairs = "all"
timeframes = ["1s", "1m"]
windows = [20]
lookbacks = [60, 120]
[[alerts]]
name = "zscore"
timeframe = "1s"
window = 20
threshold = 2.0
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("rebuild")
    (root / "spreadlake.toml").write_text(CONFIG)
    rng = np.random.default_rng(2)
    with closing(open_ticks_writer(Lake(root / "data"))) as db, atomic(db):
        for symbol in SYMBOLS:
            prices = 100 * np.exp(np.cumsum(rng.normal(0, 2e-4, SECONDS)))
            db.executemany(
                "INSERT INTO ticks(symbol, trade_id, time_ms, price, qty, buyer_is_maker) "
                "VALUES (?, ?, ?, ?, 1.0, 0)",
                [
                    (symbol, at + 1, START_MS + at * 1000 + int(rng.integers(0, 999)), price)
                    for at, price in enumerate(prices.tolist())
                ],
            )
    return root


def test_it_is_that_of_one_process(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "other")
    ended = [
        run("analyse", "--rebuild", "--data", "data", *more, cwd=root)
        for root, more in ((data, []), (tmp_path / "other", ["--cluster", "local:2"]))
    ]
    assert [one.returncode for one in ended] == [0, 0], ended[1].stderr
    wanted, found = (_tables(root / "data") for root in (data, tmp_path / "other"))
    assert len(wanted["pair_tests"]) > 50
    assert len(wanted["alert_events"]) > 5
    for table in TABLES:
        assert found[table] == wanted[table], table


def test_a_job_that_stays_takes_no_cluster(data: Path) -> None:
    ended = run("analyse", "--data", "data", "--cluster", "local", cwd=data)
    assert ended.returncode == 2
    assert "add --rebuild or --once" in ended.stderr


def _tables(root: Path) -> dict[str, list[Any]]:
    with closing(sqlite3.connect(Lake(root).analytics_db)) as db:
        return {table: sorted(map(repr, db.execute(f"SELECT * FROM {table}"))) for table in TABLES}
