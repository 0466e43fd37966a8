"""Many pairs are computed a group at a time, long histories a piece at a time: the same tables."""

import sqlite3
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from analytics_job.job import AnalyticsJob
from analytics_job.pairs import analyser
from spreadlake.quant import pair_rows
from spreadlake.quant.pair_rows import PairRows
from tests.analytics_job import harness
from tests.analytics_job.markets import walk

SYMBOLS = ["AUSDT", "BUSDT", "CUSDT", "DUSDT"]
TRADES = walk(SYMBOLS, 200, seed=17, per_second=0.8)
# Of one symbol in the middle, of another at the end, and before all others.
LATE = [TRADES[300:330:4], [t for t in TRADES if t.symbol == "DUSDT"][:3], TRADES[-1:]]
CONFIG = harness.settings(
    symbols=SYMBOLS,
    pairs="all",
    timeframes=["1s", "5s"],
    windows=[5, 20],
    lookbacks=[30, 12],
    max_stale_bars=6,
    alerts=[{"name": "z", "window": 20, "lookback": 30, "threshold": 1.2, "min_bars": 2}],
)


def _tables(root: Path) -> dict[str, Any]:
    lake = harness.TestLake(root)
    job = AnalyticsJob(lake.lake, CONFIG)
    late = [trade for batch in LATE for trade in batch]
    on_time = [t for t in TRADES if t not in late]
    for batch in (on_time[:50], on_time[50:], *LATE):
        lake.store(batch)
        job.step()
    job.close()
    tables = lake.tables()
    lake.close()
    return tables


def test_groups_and_pieces_of_any_size_give_the_same_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: set[int] = set()
    insert_rows = analyser.insert_rows

    def noted(db: sqlite3.Connection, timeframe: str, result: PairRows) -> pl.DataFrame:
        sizes.add(len(result.pairs))
        return insert_rows(db, timeframe, result)

    monkeypatch.setattr(analyser, "insert_rows", noted)
    whole = _tables(tmp_path / "whole")
    assert sizes >= {3, 6}  # those of one symbol, and all
    assert whole["alert_events"]
    for cells, piece in ((5, 16), (4, 7), (2, 40)):
        sizes.clear()
        monkeypatch.setattr(pair_rows, "_CELLS", cells)
        monkeypatch.setattr(analyser, "_PIECE", piece)
        assert _tables(tmp_path / str(cells)) == whole
        assert max(sizes) < 6
