"""Workers of machines that have nothing of a lake read it from its bucket."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import spreadlake
from spreadlake.cluster import open_tasks
from spreadlake.cluster.fitness import UnfitWorkerError
from spreadlake.cluster.sent import packed
from spreadlake.lake.cold.address import ColdAddress
from spreadlake.lake.places import lake_at
from tests.cluster.dask_processes import cluster_of
from tests.cold_lakes import MIDNIGHT_MS, describe, finished_lake, upload

GRID: dict[str, Any] = {"entry": [1.0, 1.5, 2.0], "window": [20, 30], "stop": [None, 3.0]}
USUAL: dict[str, Any] = {"lookback": 60, "fee_bps": 0.5, "grid": GRID}


def test_a_lake_in_a_bucket_gives_the_results_of_one_process(
    tmp_path: Path, cold: ColdAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each worker fetches the catalogue by itself: of the cache here it is told nothing."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    whole = finished_lake(tmp_path / "lake")
    upload(whole.lake, cold, keep=True)
    describe(whole.lake, cold)
    there, here = spreadlake.open(cold.text), spreadlake.open(whole.lake.root)
    end = datetime.fromtimestamp(MIDNIGHT_MS / 1000, UTC)
    wanted = here.backtest("AUSDT", "BUSDT", "1m", end=end, **USUAL)
    assert wanted.grid is not None
    with cluster_of(tmp_path, 0) as cluster:
        cluster.add(XDG_CACHE_HOME=str(tmp_path / "theirs"))
        found = there.backtest("AUSDT", "BUSDT", "1m", cluster=cluster.address, **USUAL)
        assert found.grid is not None
        assert found.grid.equals(wanted.grid, null_equal=True)
        assert found.trades.equals(wanted.trades, null_equal=True)
        assert len(found.trades)
        assert list((tmp_path / "theirs").rglob("analytics.db"))

        lake = lake_at(cold.text)
        sent = packed(lake, lake, cold.text)
        assert str(tmp_path).encode() not in sent
        assert cold.text.encode() in sent
        blind = cluster.add(XDG_CACHE_HOME=str(tmp_path / "blind"), AWS_SECRET_ACCESS_KEY="wrong")
        with (
            pytest.raises(UnfitWorkerError, match=f"{blind} does not see the lake {cold.text}"),
            open_tasks(cluster.address, lake),
        ):
            pass
