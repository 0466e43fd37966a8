"""Old bars, rows and tests in Parquet: nothing lost or doubled, late trades still reach them."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from analytics_job.job import AnalyticsJob
from spreadlake.lake import open_reader
from spreadlake.lake.archive import read_rows
from spreadlake.report.choose import SeriesKey
from spreadlake.report.series_rows import column_names, iter_rows
from spreadlake.trades import Trade
from tests.analytics_job import harness

EPOCH_MS = 1_699_999_200_000  # a whole hour
HOURS = 5
CONFIG: dict[str, Any] = {
    "symbols": ["AUSDT", "BUSDT"],
    "timeframes": ["1s", "1m"],
    "windows": [30],
    "lookbacks": [60],
    "job": {"tests_interval": 300},
    "alerts": [
        {"name": "z", "window": 30, "threshold": 1.5, "min_bars": 2},
        {"name": "gated", "window": 30, "threshold": 1.5, "max_adf_pvalue": 0.52},
    ],
}


def _trades() -> list[Trade]:
    trades = []
    for k in range(HOURS * 3600 // 20):
        for n, symbol in enumerate(("AUSDT", "BUSDT")):
            price = 100.0 + n + (k * 7919 * (n + 1)) % 101 / 50
            trades.append(
                Trade(symbol, k + 1, EPOCH_MS + k * 20_000 + n * 500, price, 1.0, k % 2 == 0)
            )
    return trades


def _merged(lake: harness.TestLake) -> dict[str, Any]:
    keys = [("timeframe", "1s")]
    series: list[tuple[str, object]] = [*keys, ("window_bars", 30), ("lookback_bars", 60)]
    with closing(open_reader(lake.lake.analytics_db)) as db:
        return {
            "bars": [
                read_rows(db, lake.lake, "bars", [("symbol", s), *keys], 0, 2**40).rows()
                for s in ("AUSDT", "BUSDT")
            ],
            "rows": read_rows(
                db, lake.lake, "pair_analytics", [("pair", "AUSDT/BUSDT"), *series], 0, 2**40
            ).rows(),
            "tests": [
                read_rows(db, lake.lake, "pair_tests", key, 0, 2**40).rows()
                for key in (
                    [("pair", "AUSDT/BUSDT"), ("timeframe", timeframe), ("lookback_bars", 60)]
                    for timeframe in ("1s", "1m")
                )
            ],
            "events": db.execute("SELECT * FROM alert_events ORDER BY opened_at").fetchall(),
            "csv": [row for piece in _csv_pieces(lake) for row in piece],
            "status": db.execute("SELECT * FROM pair_status").fetchall(),
        }


def _csv_pieces(lake: harness.TestLake) -> Iterator[list[tuple[Any, ...]]]:
    key = SeriesKey("AUSDT/BUSDT", "1s", 30, 60)
    start, end = EPOCH_MS / 1000 + 100.5, EPOCH_MS / 1000 + 4 * 3600
    return iter_rows(lake.lake, key, column_names(lake.lake), start, end)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    lake = harness.TestLake(tmp_path_factory.mktemp("all"))
    job = AnalyticsJob(lake.lake, harness.settings(**CONFIG, max_stale_bars=25))
    lake.store(_trades())
    job.step()
    job.finish_tests()
    job.close()
    lake.close()
    merged = _merged(lake)
    rules = [event[1] for event in merged["events"]]
    assert 0 < rules.count("gated") < rules.count("z")
    return merged


@pytest.mark.parametrize("tests_first", [True, False])
def test_rolled_and_repaired_lakes_read_as_one_that_kept_everything(
    tmp_path: Path, expected: dict[str, Any], tests_first: bool
) -> None:
    """Also where the closes that a test takes have rolled away before it was computed."""
    config = harness.settings(
        **CONFIG, max_stale_bars=25, storage={"analytics_hours": {"1s": 1, "1m": 1}}
    )
    trades = _trades()
    late = trades[100:140] + trades[399:402]
    lake = harness.TestLake(tmp_path)
    for batch in ([t for t in trades if t not in late], late):
        lake.store(batch)
        job = AnalyticsJob(lake.lake, config)
        job.step()
        for finish in (tests_first, True):
            if finish:
                job.finish_tests()
            _roll(job)
        hot = [row for row in lake.table("bars") if row["timeframe"] == "1s"]
        assert min(row["time"] for row in hot) >= (EPOCH_MS // 1000) + (HOURS - 2) * 3600
        hot = [row for row in lake.table("pair_tests") if row["timeframe"] == "1s"]
        assert min(row["time"] for row in hot) >= (EPOCH_MS // 1000) + (HOURS - 2) * 3600
        job.close()
    assert _merged(lake) == expected
    for table in ("pair_analytics", "pair_tests"):
        assert list(tmp_path.glob(f"{table}/timeframe=1s/pair=AUSDT%2FBUSDT/date=*/*.parquet"))
    assert not list(tmp_path.rglob("*.tmp"))
    lake.close()


def test_a_crash_between_the_file_and_the_delete_changes_nothing(
    tmp_path: Path, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = harness.settings(**CONFIG, max_stale_bars=25, storage={"analytics_hours": {"1s": 1}})
    lake = harness.TestLake(tmp_path)
    job = AnalyticsJob(lake.lake, config)
    lake.store(_trades())
    job.step()
    job.finish_tests()
    with monkeypatch.context() as patch:
        patch.setattr("analytics_job.retention.Retention._delete", _crash)
        with pytest.raises(KeyboardInterrupt):
            job.roll_piece()
    assert _merged(lake) == expected
    job.close()
    job = AnalyticsJob(lake.lake, config)
    _roll(job)
    job.close()
    assert _merged(lake) == expected
    lake.close()


def test_the_tests_that_wait_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where they fall due faster than they are computed, the oldest are given up."""
    lake = harness.TestLake(tmp_path)
    job = AnalyticsJob(lake.lake, harness.settings(**CONFIG))
    lake.store(_trades())
    job.step()
    due = sorted(row["time"] for row in lake.table("tests_due"))
    monkeypatch.setattr("analytics_job.retention._MOST_DUE", 7)
    _roll(job)
    assert sorted(row["time"] for row in lake.table("tests_due")) == due[-7:]
    assert f"gave up the {len(due) - 7} slow statistics that were due longest" in caplog.text
    job.close()
    lake.close()


def _roll(job: AnalyticsJob) -> None:
    job._retention._next_look_ms = 0
    while job.roll_piece():
        pass


def _crash(*_: object) -> None:
    raise KeyboardInterrupt
