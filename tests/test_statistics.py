"""A statistic is declared once, and is then wherever statistics are."""

import csv
import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

from spreadlake.lake.databases.schema import ANALYTICS_STEPS
from spreadlake.quant.stationarity import Stationarity
from spreadlake.statistics import PAIR_STATISTICS, SLOW_STATISTICS
from tests.analytics_job import harness
from tests.analytics_job.markets import walk
from tests.paths import ROOT
from tests.patience import PATIENCE
from tests.running import environment

SERIES = {"symbol_a": "AUSDT", "symbol_b": "BUSDT", "window": "10", "lookback": "20"}
SYMBOLS = [SERIES["symbol_a"], SERIES["symbol_b"]]
CONFIG = harness.settings(
    symbols=SYMBOLS, timeframes=["1s"], windows=[10], lookbacks=[20], alerts=[]
)


def test_what_is_computed_is_what_is_declared() -> None:
    assert [one.column for one in SLOW_STATISTICS] == [field.name for field in fields(Stationarity)]


def test_each_is_declared_once_and_its_metric_is_its_own() -> None:
    every = [*PAIR_STATISTICS, *SLOW_STATISTICS]
    assert len({one.column for one in every}) == len(every)
    names = [one.metric.name for one in every if one.metric]
    assert len(set(names)) == len(names)
    assert max(one.since for one in every) <= len(ANALYTICS_STEPS)


def test_one_more_is_in_the_table_the_metrics_the_csv_the_panel_and_the_reference(
    tmp_path: Path,
) -> None:
    """On a lake from before it, whose history is computed again without being asked for."""
    lake = harness.run_job(tmp_path, CONFIG, [walk(SYMBOLS, 60, seed=3, per_second=3.0)])
    before = [(row["time"], row["beta"]) for row in lake.table("pair_analytics")]
    lake.close()
    version = len(ANALYTICS_STEPS) + 1
    ended = subprocess.run(
        [sys.executable, "-m", "tests.new_statistic", str(tmp_path), str(version)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert len(before) > 20
    assert found["rows"] == [[time, beta, 2 * beta] for time, beta in before]
    newest = 2 * before[-1][1]
    assert found["metric"] == [newest]
    assert [float(row["twice_beta"]) for row in csv.DictReader(found["csv"])] == [
        2 * beta for _, beta in before
    ]
    assert found["panel"]["twice_beta"] == newest
    assert "| `twice_beta` | twice the hedge ratio |" in found["reference"]
    assert any("`spreadlake_pair_twice_beta` | gauge" in line for line in found["metrics"])
