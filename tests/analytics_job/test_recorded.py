"""The recorded capture: every bar and row against the loop and statsmodels, and no lookahead."""

import gzip
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm

from spreadlake.binance.decode import FrameDecoder
from spreadlake.trades import Ignored
from tests.analytics_job import harness, oracle
from tests.rollups import expected_rollups, kept_rollups
from tests.trades import Trade, as_trade

ROOT = Path(__file__).resolve().parents[2]
CAPTURE = ROOT.parent / "shared" / "data" / "usdm_btcusdt_ethusdt_trades_20240808.jsonl.gz"
pytestmark = pytest.mark.skipif(
    not CAPTURE.exists(), reason="the recorded capture is not there: ../shared/data"
)

SYMBOLS = ["BTCUSDT", "ETHUSDT"]
PAIR = "BTCUSDT/ETHUSDT"
FIRST, SECONDS = 1_723_161_256, 344
WINDOWS, LOOKBACK = [30, 60, 120], 300


def _config() -> Any:
    """The defaults, but a plain rule; nothing waits for a trade that comes after the last."""
    return harness.settings(
        symbols=SYMBOLS,
        pairs=[["BTCUSDT", "ETHUSDT"]],
        job={"lateness": 0},
        alerts=[
            {"name": "zscore", "close_below": 2.0, "min_seconds": 0, "quiet_seconds": 0},
            {"name": "slow", "threshold": 1.5, "close_below": 0.5, "min_bars": 3},
        ],
    )


@pytest.fixture(scope="module")
def trades() -> list[Trade]:
    decoder = FrameDecoder("trade")
    found = []
    with gzip.open(CAPTURE) as lines:
        for line in lines:
            event = decoder.decode(line.split(b" ", 1)[1])
            if not isinstance(event, Ignored):
                found.append(as_trade(event))
    return found


@pytest.fixture(scope="module")
def lake(
    trades: list[Trade], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[harness.TestLake]:
    lake = harness.run_job(tmp_path_factory.mktemp("recorded"), _config(), [trades])
    yield lake
    lake.close()


@pytest.fixture(scope="module")
def bars(trades: list[Trade]) -> dict[str, oracle.Bars]:
    return oracle.second_bars(trades, FIRST + SECONDS)


def test_every_bar_is_that_of_the_loop(
    lake: harness.TestLake, trades: list[Trade], bars: dict[str, oracle.Bars]
) -> None:
    table = lake.table("bars")
    for symbol, count in (("BTCUSDT", 21_313), ("ETHUSDT", 14_076)):
        own = [trade.time_ms // 1000 for trade in trades if trade.symbol == symbol]
        assert len(own) == count
        for timeframe, length in (("1s", 1), ("1m", 60)):
            want = oracle.longer_bars(bars[symbol], length, FIRST + SECONDS)
            rows = {
                row["time"]: [row[name] for name in list(row)[3:]]
                for row in table
                if row["symbol"] == symbol and row["timeframe"] == timeframe
            }
            assert rows.keys() == want.keys()
            for time, bar in want.items():
                np.testing.assert_allclose(rows[time], bar, rtol=1e-12)
            final = max(want) + length
            assert sum(row[-1] for row in rows.values()) == sum(time < final for time in own)
        seconds = [
            row["time"] for row in table if (row["symbol"], row["timeframe"]) == (symbol, "1s")
        ]
        assert seconds == list(range(FIRST, FIRST + SECONDS))


@pytest.mark.parametrize("window", WINDOWS)
def test_every_row_is_that_of_the_loop(
    lake: harness.TestLake, bars: dict[str, oracle.Bars], window: int
) -> None:
    want = oracle.analytics(bars["BTCUSDT"], bars["ETHUSDT"], 1, window, LOOKBACK, 30)
    rows = _series(lake, window)
    assert rows.keys() == want.keys()
    assert len(rows) == SECONDS - window + 1
    for time, row in want.items():
        for name, value in row.items():
            assert math.isclose(rows[time][name], value, rel_tol=1e-7, abs_tol=1e-9), (time, name)


def _series(lake: harness.TestLake, window: int) -> dict[int, dict[str, Any]]:
    return {
        row["time"]: row
        for row in lake.table("pair_analytics")
        if (row["pair"], row["timeframe"], row["window_bars"]) == (PAIR, "1s", window)
    }


def test_every_hedge_ratio_is_that_of_statsmodels(
    lake: harness.TestLake, bars: dict[str, oracle.Bars]
) -> None:
    a, b = (np.array([bar[3] for bar in bars[symbol].values()]) for symbol in SYMBOLS)
    rows = _series(lake, 30)
    for at in range(29, SECONDS):
        low = max(0, at - LOOKBACK + 1)
        fit = sm.OLS(a[low : at + 1], sm.add_constant(b[low : at + 1])).fit()
        row = rows[FIRST + at]
        got = [row[name] for name in ("alpha", "beta", "beta_stderr", "r_squared")]
        np.testing.assert_allclose(got, [*fit.params, fit.bse[1], fit.rsquared], rtol=1e-7)


def test_every_roll_up_is_that_of_its_rows(lake: harness.TestLake) -> None:
    kept = kept_rollups(lake.lake)
    assert kept == expected_rollups(lake.lake)
    assert len(kept) > 10
    rows = _series(lake, 60)
    for rolled in (row for row in kept if row["window_bars"] == 60):
        span = [rows[at] for at in range(rolled["time"], rolled["time"] + 60) if at in rows]
        z = [row["zscore"] for row in span if row["zscore"] is not None]
        assert (rolled["bars"], rolled["zscores"]) == (len(span), len(z))
        assert (rolled["zscore_min"], rolled["zscore_max"]) == (min(z), max(z))
        assert rolled["beyond_2"] == sum(abs(one) >= 2 for one in z)


def test_alert_events_are_those_of_the_loop(lake: harness.TestLake) -> None:
    rows = _series(lake, 60)
    stored = sorted(
        (event["opened_at"], event["opened_zscore"], event["peak_zscore"], event["closed_at"])
        for event in lake.table("alert_events")
        if event["rule"] == "zscore"
    )
    want = [event[:4] for event in oracle.alert_events(rows, 2.0, LOOKBACK)]
    assert want
    # Of the many that a young hedge ratio would have opened.
    assert len(oracle.alert_events(rows, 2.0, 0)) > len(want) + 5
    assert stored == want


@pytest.mark.parametrize("share", [0.13, 0.5, 0.87])
def test_the_tables_of_a_prefix_are_a_prefix_of_the_tables(
    lake: harness.TestLake, trades: list[Trade], tmp_path: Path, share: float
) -> None:
    """Nothing that was stored by then is another once the rest has come."""
    begun = harness.run_job(tmp_path, _config(), [trades[: int(len(trades) * share)]])
    last = begun.table("bars")[-1]["time"]
    for name in ("bars", "pair_analytics"):
        until = {"1s": last, "1m": (last + 1) // 60 * 60 - 60}
        whole = [row for row in lake.table(name) if row["time"] <= until[row["timeframe"]]]
        assert begun.table(name) == whole
        assert whole
    closed = [e for e in begun.table("alert_events") if e["closed_at"] is not None]
    assert closed == [
        e
        for e in lake.table("alert_events")
        if e["closed_at"] is not None and e["closed_at"] <= last
    ]
    begun.close()


def test_a_step_after_each_of_many_pieces_gives_the_same_tables(
    lake: harness.TestLake, trades: list[Trade], tmp_path: Path
) -> None:
    pieces = [trades[at : at + 331] for at in range(0, len(trades), 331)]
    stepped = harness.run_job(tmp_path, _config(), pieces)
    assert stepped.tables() == lake.tables()
    stepped.close()
