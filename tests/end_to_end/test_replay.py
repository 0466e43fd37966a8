"""Recorded frames through the real WebSocket client, collector and job into a real lake."""

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from spreadlake.binance.decode import FrameDecoder
from spreadlake.lake import Lake, open_reader
from spreadlake.trades import Ignored
from tests.analytics_job import oracle
from tests.analytics_job.harness import TABLES
from tests.end_to_end.processes import spreadlake
from tests.paths import MIXED, TRADES, needed
from tests.trades import Trade, as_trade

FINAL = 1_723_161_600  # the last trade is 29 ms after this second


def _tables(data: Path) -> dict[str, list[tuple[Any, ...]]]:
    with closing(open_reader(Lake(data).analytics_db)) as db:
        return {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in TABLES}


def _recorded(path: Path) -> list[Trade]:
    decoder = FrameDecoder("trade")
    with gzip.open(path) as lines:
        events = [decoder.decode(line.split(b" ", 1)[1]) for line in lines]
    return [as_trade(event) for event in events if not isinstance(event, Ignored)]


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recording = needed(TRADES)
    folder = tmp_path_factory.mktemp("replay")
    done = spreadlake("replay", recording, "--data", "D", "--speed", "max", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "D"


def test_every_recorded_trade_is_stored_once(replayed: Path) -> None:
    with closing(open_reader(Lake(replayed).ticks_db)) as db:
        rows = db.execute(
            "SELECT symbol, trade_id, time_ms, price, qty, buyer_is_maker FROM ticks "
            "ORDER BY symbol, trade_id"
        ).fetchall()
        assert db.execute("SELECT COUNT(*) FROM gaps").fetchone() == (0,)
    assert len(rows) == 35_389
    assert rows == sorted(_recorded(TRADES))


def test_bars_rows_and_events_equal_a_plain_loop(replayed: Path) -> None:
    seconds = oracle.second_bars(_recorded(TRADES), FINAL)
    with closing(open_reader(Lake(replayed).analytics_db)) as db:
        db.row_factory = sqlite3.Row
        for symbol, bars in seconds.items():
            stored = _bars(db, symbol, "1s")
            assert len(stored) == 344
            assert stored.keys() == bars.keys()
            for time, bar in bars.items():
                assert stored[time] == pytest.approx(bar, rel=1e-12)
            minutes = oracle.longer_bars(bars, 60, FINAL)
            assert _bars(db, symbol, "1m") == {
                time: pytest.approx(bar, rel=1e-12) for time, bar in minutes.items()
            }
        for window in (30, 60, 120):
            rows = oracle.analytics(
                seconds["BTCUSDT"], seconds["ETHUSDT"], 1, window, 300, max_stale=30
            )
            _check_rows(db, window, rows)
            if window == 60:
                _check_events(db, rows)


def _bars(db: sqlite3.Connection, symbol: str, timeframe: str) -> dict[int, Any]:
    rows = db.execute(
        "SELECT time, open, high, low, close, volume, quote_volume, taker_buy_volume, trades "
        "FROM bars WHERE symbol = ? AND timeframe = ?",
        (symbol, timeframe),
    )
    return {row[0]: tuple(row)[1:] for row in rows}


def _check_rows(db: sqlite3.Connection, window: int, rows: dict[int, dict[str, Any]]) -> None:
    stored = {
        row["time"]: row
        for row in db.execute(
            "SELECT * FROM pair_analytics WHERE pair = 'BTCUSDT/ETHUSDT' AND timeframe = '1s' "
            "AND window_bars = ? AND lookback_bars = 300",
            (window,),
        )
    }
    assert stored.keys() == rows.keys()
    assert len(rows) == 344 - window + 1
    for time, row in rows.items():
        for name, value in row.items():
            assert stored[time][name] == pytest.approx(value, rel=1e-7, abs=1e-9), (time, name)


def _check_events(db: sqlite3.Connection, rows: dict[int, dict[str, Any]]) -> None:
    stored = db.execute(
        "SELECT opened_at, opened_zscore, peak_zscore, closed_at, closed_zscore "
        "FROM alert_events ORDER BY opened_at"
    ).fetchall()
    expected = oracle.alert_events(rows, 2.0, 300, close_below=1.0, min_bars=5, quiet=600)
    assert expected
    assert oracle.alert_events(rows, 2.0, 0, close_below=1.0, min_bars=5, quiet=600) != expected
    assert [tuple(row) for row in stored] == [pytest.approx(e, rel=1e-7) for e in expected]


def test_the_pace_changes_nothing(replayed: Path, tmp_path: Path) -> None:
    done = spreadlake("replay", TRADES, "--data", "D", "--speed", "40", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert _tables(tmp_path / "D") == _tables(replayed)


def test_replaying_again_changes_nothing(replayed: Path) -> None:
    before = _tables(replayed)
    done = spreadlake("replay", TRADES, "--data", replayed, cwd=replayed.parent)
    assert done.returncode == 0, done.stderr
    assert _tables(replayed) == before


def test_a_mixed_capture_leaves_its_aggregate_trades(tmp_path: Path) -> None:
    done = spreadlake("replay", needed(MIXED), "--data", "D", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with closing(open_reader(Lake(tmp_path / "D").ticks_db)) as db:
        assert db.execute("SELECT COUNT(*) FROM ticks").fetchone() == (91,)
        assert db.execute("SELECT value FROM meta WHERE key = 'trade_kind'").fetchone() == (
            "aggTrade",
        )
