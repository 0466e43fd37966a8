"""A rebuild whose slow statistics are computed on a cluster is that of one process."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spreadlake.lake import Lake, atomic, open_ticks_writer
from tests.cluster.dask_processes import Cluster, Held, cluster_of
from tests.patience import PATIENCE
from tests.running import run, started, until

SYMBOLS = [f"{letter}USDT" for letter in "ABCD"]
START_MS = 1_785_000_000_000 // 86_400_000 * 86_400_000
SECONDS = 1_500
TABLES = (
    "bars", "pair_analytics", "pair_tests", "pair_rollups", "alert_events", "alert_counts",
    "tests_due", "rows_due", "hours_due", "breaks", "first_bars", "series", "pair_status",
)  # fmt: skip
Tables = dict[str, list[Any]]
REBUILD = ("analyse", "--rebuild", "--data", "data", "--cluster")
ONCE = ("analyse", "--once", "--data", "data", "--cluster")
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


@pytest.fixture(scope="module")
def wanted(data: Path) -> Tables:
    """The tables that one process makes."""
    ended = run("analyse", "--rebuild", "--data", "data", cwd=data)
    assert ended.returncode == 0, ended.stderr
    tables = _tables(data)
    assert len(tables["pair_tests"]) > 50
    assert len(tables["alert_events"]) > 5
    return tables


def test_it_is_that_of_one_process(data: Path, wanted: Tables, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "other")
    ended = run(*REBUILD, "local:2", cwd=tmp_path / "other")
    assert ended.returncode == 0, ended.stderr
    _require_same(_tables(tmp_path / "other"), wanted)


def test_a_client_and_a_worker_killed_in_the_middle_change_nothing(
    data: Path, wanted: Tables, tmp_path: Path
) -> None:
    """What a client had asked for is given up and stays due; another worker does what one had."""
    root = tmp_path / "other"
    shutil.copytree(data, root)
    (root / "data" / "analytics.db").unlink(missing_ok=True)
    held = Held(tmp_path)
    with cluster_of(tmp_path, 2) as cluster, cluster.client() as other:
        # Both are busy with something else, so that what is asked of them is not done at once.
        busy = [
            other.submit(held, number, workers=[worker], allow_other_workers=True)
            for number, worker in enumerate(cluster.workers)
        ]
        until(lambda: len(held.begun()) == 2, "both workers at work")
        with started(*REBUILD, cluster.address, cwd=root) as client:
            until(lambda: _asked(cluster), "what it asks of the cluster")
            client.kill()
        until(lambda: not _asked(cluster), "the end of what it asked for")
        assert _tables(root)["tests_due"]
        with started(*ONCE, cluster.address, cwd=root) as client:
            cluster.kill(until(lambda: _asked(cluster), "what it asks of the cluster"))
            (tmp_path / "go").touch()
            assert client.wait(PATIENCE) == 0, (root / "err.txt").read_text()
        assert other.gather(busy) == [0, 1]
    _require_same(_tables(root), wanted)


def _asked(cluster: Cluster) -> str:
    """A worker that has tasks of ours; empty: none has."""
    doing = cluster.processing().items()
    own = (worker for worker, tasks in doing if any(t.startswith("spreadlake-") for t in tasks))
    return next(own, "")


def _require_same(found: Tables, wanted: Tables) -> None:
    for table in TABLES:
        assert found[table] == wanted[table], table


def test_a_job_that_stays_takes_no_cluster(data: Path) -> None:
    ended = run("analyse", "--data", "data", "--cluster", "local", cwd=data)
    assert ended.returncode == 2
    assert "add --rebuild or --once" in ended.stderr


def _tables(root: Path) -> Tables:
    root = root / "data"
    with closing(sqlite3.connect(Lake(root).analytics_db)) as db:
        return {table: sorted(map(repr, db.execute(f"SELECT * FROM {table}"))) for table in TABLES}
