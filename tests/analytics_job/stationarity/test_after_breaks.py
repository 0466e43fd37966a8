"""Slow statistics and alerts look back no further than a break, and over one in no time."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analytics_job.alerts.rows import RowReader
from analytics_job.job import AnalyticsJob
from spreadlake.lake import open_reader
from spreadlake.lake.analytics import archive
from spreadlake.lake.analytics.archive import read_piece
from spreadlake.lake.analytics.rows import archived_until
from spreadlake.quant.stationarity import Stationarity, stationarity_of_pairs
from spreadlake.series import SeriesKey
from tests.analytics_job import harness
from tests.analytics_job.markets import EPOCH, walk

SYMBOLS = ["AUSDT", "BUSDT"]
YEAR = 365 * 24 * 3600


def _later(trades: list[Any], ids: int = 1_000_000) -> list[Any]:
    return [trade._replace(trade_id=trade.trade_id + ids) for trade in trades]


def _config(**values: Any) -> Any:
    return harness.settings(symbols=SYMBOLS, pairs="all", windows=[10], lookbacks=[60], **values)


def test_a_lookback_begins_after_a_break_that_leaves_no_bar_out(tmp_path: Path) -> None:
    """A break of 40 s from one minute into the next: the minutes on both sides are there."""
    before = [t for t in walk(SYMBOLS, 1800, seed=1) if t.time_ms < (EPOCH + 1780) * 1000]
    after = _later(walk(SYMBOLS, 1800, seed=2, start=EPOCH + 1820))
    config = _config(
        timeframes=["1m"], job={"break_minutes": 0.5, "tests_interval": 300}, alerts=[]
    )
    lake = harness.TestLake(tmp_path)
    lake.store([*before, *after])
    job = AnalyticsJob(lake.lake, config)
    job.step()
    job.finish_tests()
    job.close()
    (off,) = lake.table("breaks")
    anew = off["end"] // 60 * 60
    assert (off["start"] - 1) // 60 * 60 == anew - 60
    bars: dict[str, dict[int, float]] = {symbol: {} for symbol in SYMBOLS}
    for row in lake.table("bars"):
        if row["timeframe"] == "1m":
            bars[row["symbol"]][row["time"]] = row["close"]
    assert anew - 60 in bars["AUSDT"]
    tested = [row for row in lake.table("pair_tests") if row["time"] >= anew]
    assert len(tested) == 3
    for row in tested:
        times = [t for t in sorted(bars["AUSDT"]) if anew <= t <= row["time"]]
        closes = np.array([[bars[symbol][t] for t in times] for symbol in SYMBOLS])
        (expected,) = stationarity_of_pairs(closes, np.array([0]), np.array([1]))
        assert row["observations"] == len(times)
        for name in Stationarity.__dataclass_fields__:
            assert row[name] == getattr(expected, name), name
    lake.close()


def test_over_a_year_without_rows_it_looks_at_what_files_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _config(
        timeframes=["1s"],
        alerts=[{"name": "z", "window": 10, "threshold": 1.0}],
        storage={"analytics_hours": {"1s": 1}},
    )
    lake = harness.TestLake(tmp_path)
    lake.store(walk(SYMBOLS, 600, seed=1, per_second=0.3, start=EPOCH - YEAR))
    lake.store(_later(walk(SYMBOLS, 4 * 3600, seed=2, per_second=0.02)))
    job = AnalyticsJob(lake.lake, config)
    job.step()
    while job.roll_piece():
        pass
    job.close()
    seen = Counter[str]()

    def noted(*given: Any) -> Any:
        seen["read"] += 1
        return read_piece(*given)

    monkeypatch.setattr(archive, "read_piece", noted)
    key = SeriesKey("AUSDT/BUSDT", "1s", 10, 60)
    db = open_reader(lake.lake.analytics_db)
    assert archived_until(db, "1s") > EPOCH
    found = RowReader(db, lake.lake).first_piece(key, EPOCH - YEAR + 3600)
    assert EPOCH <= found.times[0] < EPOCH + 3600
    assert seen["read"] == 1
    db.close()
    lake.close()


def test_another_limit_of_breaks_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = harness.TestLake(tmp_path)
    lake.store(walk(SYMBOLS, 60))
    for minutes in (15, 15, 5, 5):
        job = AnalyticsJob(lake.lake, _config(job={"break_minutes": minutes}))
        job.step()
        job.close()
    told = [r.getMessage() for r in caplog.records if "break_minutes" in r.getMessage()]
    assert len(told) == 1
    assert told[0].startswith("job.break_minutes is 5 now, and was 15:")
    lake.close()
