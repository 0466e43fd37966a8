"""How long a rule has been met is known to the bar, however far that is to look back."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from analytics_job.alerts import rows
from analytics_job.job import AnalyticsJob
from tests.analytics_job import harness
from tests.analytics_job.archiving import roll, trades

EVERY = trades()
HOUR = len(EVERY) // 5
CONFIG: dict[str, Any] = {
    "symbols": ["AUSDT", "BUSDT"],
    "timeframes": ["1s"],
    "windows": [30],
    "lookbacks": [60],
    "max_stale_bars": 25,
}


def events(root: Path, min_bars: int, batches: list[int], hours: float) -> list[Any]:
    """The alerts of a job that is started anew for each batch, and rolls what is old."""
    rule = {"name": "z", "window": 30, "threshold": 1e-9, "min_bars": min_bars}
    config = harness.settings(**CONFIG, alerts=[rule], storage={"analytics_hours": {"1s": hours}})
    lake = harness.TestLake(root)
    for low, high in zip([0, *batches], [*batches, len(EVERY)], strict=True):
        lake.store(EVERY[low:high])
        with closing(AnalyticsJob(lake.lake, config)) as job:
            job.step()
            roll(job)
    lake.close()
    return lake.table("alert_events")


@pytest.mark.parametrize("min_bars", [3_000, 9_000])
def test_it_reaches_over_archived_pieces_and_thousands_of_rows(
    tmp_path: Path, min_bars: int
) -> None:
    once = events(tmp_path / "once", min_bars, [], 720)
    assert len(once) == 1
    for number, (batches, hours) in enumerate([([2 * HOUR - 30, 4 * HOUR], 1), ([4 * HOUR], 720)]):
        assert events(tmp_path / str(number), min_bars, batches, hours) == once


def test_many_short_pieces_are_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    once = events(tmp_path / "once", 40, [], 720)
    monkeypatch.setattr(rows, "_PIECE", 7)
    assert events(tmp_path / "pieces", 40, [4, HOUR], 720) == once
