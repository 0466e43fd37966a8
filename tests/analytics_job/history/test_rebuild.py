"""Everything again from the trades, hot and rolled away: the same tables."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from analytics_job.history.backfill import History
from analytics_job.job import AnalyticsJob
from spreadlake.errors import DamagedFileError
from spreadlake.lake import HOUR_MS
from tests.analytics_job import harness
from tests.analytics_job.markets import EPOCH, EPOCH_MS, walk
from tests.patience import PATIENCE

SYMBOLS = ["AUSDT", "BUSDT", "CUSDT"]
HOUR = EPOCH + 3600
BEGIN, END = HOUR - 395, HOUR + 421
TRADES = walk(SYMBOLS, END - BEGIN + 100, seed=8, per_second=0.5, start=BEGIN)
CUT = next(at for at, trade in enumerate(TRADES) if trade.time_ms > END * 1000)
EARLY, LATER = TRADES[:CUT], TRADES[CUT:]
CONFIG = harness.settings(
    symbols=SYMBOLS,
    pairs=[["AUSDT", "BUSDT"], ["CUSDT", "AUSDT"]],
    timeframes=["1s", "1m", "7s"],
    windows=[20],
    lookbacks=[60],
    max_stale_bars=15,
    job={"tests_interval": 200},
    alerts=[
        {"name": "z", "window": 20, "threshold": 1.5, "min_bars": 2},
        {"name": "wide", "window": 20, "threshold": 1.5, "close_below": 0.05},
        {"name": "gated", "window": 20, "threshold": 0.8, "max_adf_pvalue": 0.6},
    ],
)


def _tables(lake: harness.TestLake) -> dict[str, Any]:
    return lake.tables() | {
        "pair_tests": lake.table("pair_tests"),
        "tests_due": lake.table("tests_due"),
        "alert_counts": lake.table("alert_counts"),
        "progress": {
            row["key"]: row["value"]
            for row in lake.table("progress")
            if row["key"] in ("seq", "watermark_ms", "final_time")
        },
    }


def _analyse(lake: harness.TestLake, *batches: Sequence[Any]) -> None:
    job = AnalyticsJob(lake.lake, CONFIG)
    for batch in batches or [()]:
        lake.store(batch)
        job.step()
    job.finish_tests()
    job.close()


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The lake after the early trades, and its tables then and after all trades."""
    root = tmp_path_factory.mktemp("rebuild")
    lake = harness.TestLake(root / "early")
    _analyse(lake, EARLY)
    early = _tables(lake)
    lake.close()
    shutil.copytree(root / "early", root / "all")
    lake = harness.TestLake(root / "all")
    _analyse(lake, LATER)
    everything = _tables(lake)
    lake.close()
    return {"root": root / "early", "early": early, "all": everything}


@pytest.fixture
def lake(lakes: dict[str, Any], tmp_path: Path) -> Any:
    shutil.copytree(lakes["root"], tmp_path / "lake")
    lake = harness.TestLake(tmp_path / "lake")
    yield lake
    lake.close()


def _inside_an_open_event(tables: dict[str, Any]) -> int:
    event = max(
        (e for e in tables["alert_events"] if e["closed_at"] is not None),
        key=lambda e: e["closed_at"] - e["opened_at"],
    )
    assert event["closed_at"] - event["opened_at"] > 10
    return int(event["opened_at"] + event["closed_at"]) // 2


STARTS = {
    "all": None,
    "the epoch": 0,
    "the first second": BEGIN,
    "inside a minute": HOUR - 103,
    "the hour": HOUR,
    "inside an open event": -1,
    "the last final second": END - 2,
    "after the last trade": END + 1_000,
    "years later": END + 10**9,
}


@pytest.mark.parametrize("rolled", [0, 1, 2], ids=["hot", "an hour rolled", "all rolled"])
@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS.keys())
def test_rebuilding_gives_the_same_tables(
    lakes: dict[str, Any], lake: harness.TestLake, start: int | None, rolled: int
) -> None:
    """Also once trades have come that follow, of which some are of the second that is not final."""
    for hour in range(rolled):
        for symbol in SYMBOLS:
            lake.roll(symbol, EPOCH_MS + hour * HOUR_MS)
    if start == -1:
        start = _inside_an_open_event(lakes["early"])
    job = AnalyticsJob(lake.lake, CONFIG)
    job.rebuild(start)
    job.step()
    job.finish_tests()
    job.close()
    got = _tables(lake)
    for name in ("progress", "alert_counts"):
        del got[name]  # where to read on depends on what is hot
    assert got == {name: lakes["early"][name] for name in got}
    _analyse(lake, LATER)
    got, want = _tables(lake), dict(lakes["all"])
    for name in ("progress", "alert_counts"):
        del got[name], want[name]
    assert got == want


def test_a_rebuild_that_died_half_way_is_made_good_by_the_next_step(
    lakes: dict[str, Any], lake: harness.TestLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.roll("AUSDT", EPOCH_MS)
    lake.roll("BUSDT", EPOCH_MS + HOUR_MS)
    for start in (None, HOUR - 77):
        job = AnalyticsJob(lake.lake, CONFIG)
        with monkeypatch.context() as patch:
            patch.setattr(History, "_take_hours", _one_hour_only())
            with pytest.raises(KeyboardInterrupt):
                job.rebuild(start)
        job.close()
        _analyse(lake)
        got = _tables(lake)
        for name in ("progress", "alert_counts"):
            del got[name]
        assert got == {name: lakes["early"][name] for name in got}


def _one_hour_only() -> Any:
    take = History._take_hours
    taken: list[None] = []

    def one(self: History, _: int) -> None:
        if taken:
            raise KeyboardInterrupt
        take(self, 1)
        taken.append(None)

    return one


def test_hours_that_rolled_away_before_the_job_saw_them_are_taken_in(
    lakes: dict[str, Any], tmp_path: Path
) -> None:
    """The job was down, or is new: at first, in the middle, and for a repaired hour again."""
    lake = harness.TestLake(tmp_path)
    lake.store(EARLY[: CUT // 3])
    _analyse(lake)
    lake.store(EARLY[CUT // 3 : -100])
    for symbol in SYMBOLS:
        lake.roll(symbol, EPOCH_MS)
    _analyse(lake)
    lake.store(EARLY[-100:])
    for symbol in ("BUSDT", "CUSDT"):
        lake.roll(symbol, EPOCH_MS + HOUR_MS)
    _analyse(lake)
    got = _tables(lake)
    for name in ("progress", "alert_counts"):
        del got[name]
    assert got == {name: lakes["early"][name] for name in got}
    _analyse(lake, LATER)
    assert lake.tables() == {name: lakes["all"][name] for name in lake.tables()}
    lake.close()


def test_a_repaired_hour_that_was_rolled_again_is_taken_in(tmp_path: Path) -> None:
    late = [t for t in EARLY if t.symbol == "AUSDT" and t.time_ms < HOUR * 1000][40:60]
    lake = harness.TestLake(tmp_path / "repaired")
    lake.store([t for t in EARLY if t not in late])
    lake.roll("AUSDT", EPOCH_MS)
    job = AnalyticsJob(lake.lake, CONFIG)
    job.step()
    lake.store(late)
    lake.roll("AUSDT", EPOCH_MS)
    job.step()
    job.finish_tests()
    job.close()
    once = harness.TestLake(tmp_path / "once")
    _analyse(once, EARLY)
    assert lake.tables() == once.tables()
    assert lake.table("pair_tests") == once.table("pair_tests")
    lake.close()
    once.close()


def test_trades_that_wait_for_their_second_and_then_roll_are_not_doubled(tmp_path: Path) -> None:
    """An hour can roll while its last second is not final: nothing has come since."""
    last = next(at for at, t in enumerate(EARLY) if t.time_ms >= EPOCH_MS + HOUR_MS)
    lake, once = harness.TestLake(tmp_path / "rolled"), harness.TestLake(tmp_path / "once")
    job = AnalyticsJob(lake.lake, CONFIG)
    lake.store(EARLY[: last - 3])
    job.step()
    lake.store(EARLY[last - 3 : last])
    for symbol in SYMBOLS:
        lake.roll(symbol, EPOCH_MS)
    job.step()
    lake.store(EARLY[last : last + 200])
    job.step()
    job.close()
    job = AnalyticsJob(once.lake, CONFIG)
    once.store(EARLY[: last + 200])
    job.step()
    job.close()
    assert lake.tables() == once.tables()
    lake.close()
    once.close()


def test_the_command_rebuilds_and_ends(lakes: dict[str, Any], lake: harness.TestLake) -> None:
    config = lake.lake.root / "spreadlake.toml"
    config.write_text(
        """
symbols = ["AUSDT", "BUSDT"]
timeframes = ["1s"]
windows = [20]
lookbacks = [60]
max_stale_bars = 15
alerts = []
"""
    )
    command = [sys.executable, "-m", "spreadlake", "analyse", "--data", str(lake.lake.root)]
    options = ["--config", str(config), "--rebuild", "--from", "2023-11-14T22:58:20Z"]
    lake.roll("AUSDT", EPOCH_MS)
    done = subprocess.run(
        [*command, *options], check=False, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    key = ("AUSDT/BUSDT", "1s", 20, 60)

    def rows(tables: dict[str, Any]) -> list[dict[str, Any]]:
        names = ("pair", "timeframe", "window_bars", "lookback_bars")
        return [r for r in tables["pair_analytics"] if tuple(r[n] for n in names) == key]

    assert rows(lake.tables()) == rows(lakes["early"])


def test_a_damaged_partition_is_told_and_its_good_copy_taken_in(tmp_path: Path) -> None:
    lake = harness.TestLake(tmp_path / "lake")
    lake.store(EARLY)
    for symbol in SYMBOLS:
        lake.roll(symbol, EPOCH_MS)
    path = lake.lake.tick_partition("AUSDT", EPOCH_MS)
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2])
    job = AnalyticsJob(lake.lake, CONFIG)
    job.step()
    assert job.error.startswith(f"{path} cannot be read (")
    assert "put a good copy in its place" in job.error
    path.write_bytes(good)
    job.step()
    assert job.error == ""
    path.write_bytes(b"")
    with pytest.raises(DamagedFileError, match="cannot be read"):
        job.rebuild(None)
    path.write_bytes(good)
    job.rebuild(None)
    job.step()
    job.finish_tests()
    job.close()
    once = harness.TestLake(tmp_path / "once")
    _analyse(once, EARLY)
    assert lake.tables() == once.tables()
    lake.close()
    once.close()
