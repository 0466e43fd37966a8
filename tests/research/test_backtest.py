"""A back-test of a lake: its signals are the stored ones, its bars those of both legs."""

import json
import random
import re
import sqlite3
import tracemalloc
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import spreadlake
from analytics_job.job import AnalyticsJob
from spreadlake.errors import InputError
from spreadlake.lake import Lake, atomic, open_analytics_writer
from spreadlake.lake.analytics.archive import Piece, fetch_frame, write_piece
from spreadlake.lake.databases.schema import ANALYTICS_STEPS
from spreadlake.lake.databases.schema_ticks import TICKS_STEPS
from spreadlake.pairs import Pair
from spreadlake.quant.backtest import Bars, Lane, Rules, Signals, back_tests, trades_frame
from spreadlake.quant.stationarity import stationarity
from spreadlake.research.backtests.pair import Backtest
from spreadlake.research.backtests.pair_history import PairHistory
from spreadlake.series import BARS, Prices
from tests.analytics_job import harness
from tests.analytics_job.markets import EPOCH, walk
from tests.lake import versions
from tests.research.bar_lake import BEGIN, fill_bars, make_bar_lake, walks
from tests.trades import Trade

A, B = "AUSDT", "BUSDT"
WINDOW, LOOKBACK, STALE = 20, 40, 5
PAUSE = 2_400  # seconds without any trade, from 2,400 on: a break


def _trades() -> list[Trade]:
    """Some 100 minutes with a break; B is away for some minutes, and begins later than A."""
    first = walk([A, B], 2_400, seed=3, per_second=0.4)
    later = walk([A, B], 3_600, seed=4, per_second=0.4, start=EPOCH + 2_400 + PAUSE)
    known = {name: sum(t.symbol == name for t in first) for name in (A, B)}
    trades = [*first, *(t._replace(trade_id=t.trade_id + known[t.symbol]) for t in later)]
    rng = random.Random(1)
    kept = []
    for trade in trades:
        second = trade.time_ms // 1000 - EPOCH
        away = trade.symbol == B and (second < 130 or 1_200 < second < 1_700)
        thin = trade.symbol == A and rng.random() < 0.3
        if not (away or thin):
            kept.append(trade)
    numbers = {A: 0, B: 0}
    for at, trade in enumerate(kept):
        numbers[trade.symbol] += 1
        kept[at] = trade._replace(trade_id=numbers[trade.symbol])
    return kept


TRADES = _trades()


def made(root: Path, prices: Prices, trades: list[Trade]) -> harness.TestLake:
    config = harness.settings(
        symbols=[A, B], pairs=[[A, B]], timeframes=["1s", "1m"], windows=[WINDOW], alerts=[],
        lookbacks=[LOOKBACK], max_stale_bars=STALE, prices=prices,
    )  # fmt: skip
    lake = harness.TestLake(root)
    job = AnalyticsJob(lake.lake, config)
    lake.store(trades)
    job.step()
    job.close()
    return lake


@pytest.fixture(scope="module", params=["raw", "log"])
def lake(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Any:
    lake = made(tmp_path_factory.mktemp("lake"), request.param, TRADES)
    yield lake
    lake.close()


def stored(lake: harness.TestLake, timeframe: str) -> pl.DataFrame:
    """Bars that both legs have, with the stored numbers beside them."""
    bars = pl.DataFrame(lake.table("bars")).filter(timeframe=timeframe)
    legs = [bars.filter(symbol=name).select("time", "open", "close", "trades") for name in (A, B)]
    rows = pl.DataFrame(lake.table("pair_analytics"), infer_schema_length=None)
    rows = rows.filter(timeframe=timeframe).select("time", "zscore", "beta", "correlation")
    both = legs[0].join(legs[1], on="time", suffix="_b")
    return both.join(rows, on="time", how="left").sort("time")


def as_arrays(frame: pl.DataFrame, length: int, prices: Prices) -> tuple[Bars, Signals]:
    columns = ("open", "open_b", "close", "close_b")
    bars = Bars(
        length,
        frame["time"].to_numpy(),
        *(frame[name].to_numpy() for name in columns),
        *((frame[name] > 0).to_numpy() for name in ("trades", "trades_b")),
    )
    z, beta, correlation = (
        frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        for name in ("zscore", "beta", "correlation")
    )
    return bars, Signals(z, beta, correlation, None, prices)


def taken(lake: Lake, timeframe: str = "1m", **how: Any) -> Backtest:
    return spreadlake.open(lake.root).backtest(
        A, B, timeframe, window=WINDOW, lookback=LOOKBACK, **how
    )


def prices_of(lake: harness.TestLake) -> Prices:
    told = [row["value"] for row in lake.table("meta") if row["key"] == "prices"]
    return "log" if told == ["log"] else "raw"


@pytest.mark.parametrize(("timeframe", "length"), [("1s", 1), ("1m", 60)])
def test_it_is_the_core_on_the_stored_tables(
    lake: harness.TestLake, timeframe: Any, length: int
) -> None:
    """Stale rows, a break, bars without trades; on what the lake's own series are computed on."""
    frame = stored(lake, timeframe)
    bars, signals = as_arrays(frame, length, prices_of(lake))
    assert frame["zscore"].null_count() > WINDOW
    rules = Rules(1.5, 0.2, 2.5, 12, 0.1)
    (run,) = back_tests(bars, signals, [Lane(rules)])
    found = taken(
        lake.lake, timeframe, entry=1.5, exit=0.2, stop=2.5, max_bars=12, min_correlation=0.1
    )
    assert found.settings["prices"] == prices_of(lake)
    assert found.trades.height > (3 if length == 60 else 30)
    assert found.trades.equals(trades_frame(run, f"{A}/{B}"))
    assert found.summary == run.summary._asdict()
    assert found.settings["bars"] == frame.height == found.equity.height
    assert found.equity["zscore"].equals(frame["zscore"].cast(pl.Float64))


def test_a_part_of_the_trades_of_the_market_gives_that_part_of_the_result(
    lake: harness.TestLake, tmp_path: Path
) -> None:
    until = EPOCH + 2_400 + PAUSE + 1_800
    early = made(tmp_path, prices_of(lake), [t for t in TRADES if t.time_ms < until * 1000])
    whole, part = taken(lake.lake, "1s", entry=1.5), taken(early.lake, "1s", entry=1.5)
    early.close()
    assert 0 < part.equity.height < whole.equity.height
    kept = part.trades.filter(pl.col("reason") != "end")
    assert kept.height > 10
    assert whole.trades[: kept.height].equals(kept)
    same = part.equity.height - 1
    assert whole.equity[:same].equals(part.equity[:same])


def test_the_test_of_the_spread_is_that_of_the_row(lake: harness.TestLake) -> None:
    """Its p-value is what `pair_tests` has of such closes: up to the row, since the last hole."""
    prices = prices_of(lake)
    history = PairHistory.read(lake.lake, Pair(A, B), "1s", LOOKBACK, STALE)
    signals = history.signals(WINDOW, LOOKBACK, prices, tested_from=2.0)
    frame = stored(lake, "1s")
    assert signals.adf_pvalue is not None
    asked = np.flatnonzero(np.abs(signals.zscore) >= 2.0)
    assert not np.isnan(signals.adf_pvalue[asked]).all()
    assert np.isnan(np.delete(signals.adf_pvalue, asked)).all()
    times, a, b = (frame[name].to_numpy() for name in ("time", "close", "close_b"))
    for row in asked[:: len(asked) // 40]:
        begin = max(0, row - LOOKBACK + 1)
        holes = np.flatnonzero(np.diff(times[begin : row + 1]) > 1)
        begin += int(holes[-1]) + 1 if len(holes) else 0
        want = stationarity(a[begin : row + 1], b[begin : row + 1], prices).adf_pvalue
        assert signals.adf_pvalue[row] == pytest.approx(
            np.nan if want is None else want, nan_ok=True
        )
    gated = taken(lake.lake, "1s", entry=2, max_adf_pvalue=0.1)
    assert 0 < gated.trades.height < taken(lake.lake, "1s", entry=2).trades.height


def test_cold_bars_are_as_hot_ones(tmp_path: Path) -> None:
    lake = made(tmp_path, "raw", TRADES)
    whole = taken(lake.lake, entry=1)
    assert whole.trades.height > 3
    with closing(open_analytics_writer(lake.lake)) as db:
        where, until = "symbol = ? AND timeframe = '1m' AND time < ?", EPOCH + 3_000
        for name in (A, B):
            rows = fetch_frame(db, BARS, where, (name, until))
            write_piece(rows, lake.lake, Piece.at(BARS, "1m", name, EPOCH))
            with atomic(db):
                db.execute(f"DELETE FROM bars WHERE {where}", (name, until))
        with atomic(db):
            db.execute("INSERT OR REPLACE INTO progress VALUES ('archived:1m', ?)", (until,))
    again = taken(lake.lake, entry=1)
    lake.close()
    assert again.trades.equals(whole.trades)
    assert again.equity.equals(whole.equity)


def test_pieces_join_without_a_seam(
    lake: harness.TestLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = taken(lake.lake, "1s", entry=1.5)
    monkeypatch.setattr("spreadlake.research.backtests.pair_history._PIECE", 37)
    monkeypatch.setattr("spreadlake.research.backtests.pair_history._READ", 101)
    again = taken(lake.lake, "1s", entry=1.5)
    assert again.trades.equals(whole.trades)
    assert again.equity.equals(whole.equity)


CLOSES = walks([A, B], 400, seed=2)


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """400 bars of 1m, each with a trade but some of B."""
    idle = {B: [50, 51, 52, 190, 191]}
    return make_bar_lake(tmp_path_factory.mktemp("walked"), CLOSES, idle=idle)


def test_windows_reach_back_before_the_span(walked: Lake) -> None:
    start, end = BEGIN + 100 * 60, BEGIN + 300 * 60
    whole, part = taken(walked, entry=1.5), taken(walked, entry=1.5, start=start, end=end)
    assert part.settings["bars"] == part.settings["bars_with_zscore"] == 200
    inside = whole.equity.filter(pl.col("time").dt.epoch("s").is_between(start, end - 1))
    assert part.equity["zscore"].equals(inside["zscore"])
    assert part.trades["signal_time"].min() >= part.equity["time"][0]
    assert part.trades["exit_time"].max() <= part.equity["close_time"][-1]
    between = taken(walked, entry=1.5, start=start - 0.5, end=end - 59.5)
    assert between.trades.equals(part.trades)
    later = taken(walked, entry=1.5, start=start + 0.5)
    assert later.settings["bars"] == 299


def test_longer_bars_are_made_of_the_stored_ones(tmp_path: Path) -> None:
    start = BEGIN // 120 * 120
    lake = make_bar_lake(tmp_path / "short", CLOSES, start=start)
    ends = {name: close[1::2] for name, close in CLOSES.items()}
    longer = make_bar_lake(tmp_path / "long", ends, length=120, timeframe="2m", start=start)
    found, wanted = (taken(one, "2m", entry=1.5) for one in (lake, longer))
    assert found.equity["zscore"].equals(wanted.equity["zscore"])
    assert found.trades["signal_time"].equals(wanted.trades["signal_time"])
    rows = (found.trades["entry_time"].dt.epoch("s") - start) // 120
    assert found.trades["entry_price_a"].to_list() == CLOSES[A][::2][rows.to_numpy()].tolist()


@pytest.mark.parametrize(
    ("how", "note"),
    [
        ({"entry": 50}, r"no trade: \|z\| was [234]\.\d+ at most, and entry is 50"),
        ({"end": BEGIN + 10 * 60}, "no trade: none of 10 bars has a z-score; a window of 20 bars"),
        ({"min_correlation": 1}, r"\|z\| reached 2 at \d+ bars, none of which has a correlation"),
        ({"max_adf_pvalue": 0}, r"none of which has an ADF p-value up to 0"),
    ],
)
def test_why_there_is_no_trade_is_told(walked: Lake, how: dict[str, Any], note: str) -> None:
    found = taken(walked, **how)
    assert found.trades.is_empty()
    assert found.summary["net"] == 0
    (told,) = found.notes
    assert re.search(note, told), told


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"start": "2023-11-15", "end": "2023-11-14"}, "from 2023-11-15T00:00:00Z is not before"),
        ({"start": "2031-01-01"}, "no finished 1m bar of both AUSDT and BUSDT from 2031-01-01"),
        ({"timeframe": "1s"}, "bars of 1 s cannot be made"),
        ({"timeframe": "7"}, "timeframe '7' is not a whole number"),
        ({"window": 1}, "window 1 is not a number of bars from 2"),
        ({"lookback": 10**6}, "lookback 1000000 is not a number of bars"),
        ({"lookback": 29, "max_adf_pvalue": 0.1}, "lookback of 30 bars or more, .* is 29"),
        ({"prices": "logs"}, "prices 'logs' are neither raw nor log"),
        ({"entry": -1}, "entry -1 is not above 0"),
        ({"entry": "2"}, "entry '2' is not a number"),
        ({"entry": None}, "entry None is not a number"),
        ({"notional": float("nan")}, "notional nan is not a number"),
        ({"funding": True}, "no funding rates of AUSDT from .* import them"),
    ],
)
def test_mistakes_are_named(walked: Lake, how: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        spreadlake.open(walked.root).backtest(A, B, **{"window": WINDOW, **how})


def test_numbers_of_numpy_are_numbers(walked: Lake) -> None:
    opened = spreadlake.open(walked.root)
    found = opened.backtest(A, B, window=np.int64(20), lookback=np.int32(40), entry=np.float64(1.5))  # type: ignore[arg-type]
    assert found.summary == taken(walked, entry=1.5).summary
    assert json.loads(json.dumps(found.settings))["window"] == 20


def test_other_symbols_are_named(walked: Lake) -> None:
    opened = spreadlake.open(walked.root)
    with pytest.raises(InputError, match="no bars of XUSDT; it has those of AUSDT, BUSDT"):
        opened.backtest(A, "XUSDT")
    with pytest.raises(InputError, match="needs two different symbols"):
        opened.backtest(A, A)


def test_years_without_a_bar_take_no_memory(tmp_path: Path) -> None:
    """Bars of seconds, some of 2021 and some of 2023: held apart, and with the same numbers."""
    early, late = BEGIN - 2 * 365 * 86_400, BEGIN
    lake = make_bar_lake(tmp_path / "both", CLOSES, start=early, length=1, timeframe="1s")
    with closing(open_analytics_writer(lake)) as db, atomic(db):
        fill_bars(db, CLOSES, start=late, length=1, timeframe="1s")
        db.execute("INSERT INTO breaks VALUES (?, ?)", (early + 400, late))
    tracemalloc.start()
    found = taken(lake, "1s", entry=1.5)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100e6
    assert found.settings["bars"] == 800
    alone = make_bar_lake(tmp_path / "one", CLOSES, start=late, length=1, timeframe="1s")
    wanted = taken(alone, "1s", entry=1.5)
    assert found.equity["zscore"][400:].equals(wanted.equity["zscore"])


@pytest.mark.parametrize("version", range(1, len(ANALYTICS_STEPS) + 1))
def test_lakes_of_before_are_tested_too(tmp_path: Path, version: int) -> None:
    folder = Path(versions.__file__).parent
    with closing(sqlite3.connect(tmp_path / "ticks.db")) as db:
        db.executescript((folder / f"ticks_{min(version, len(TICKS_STEPS))}.sql").read_text())
    with closing(sqlite3.connect(tmp_path / "analytics.db")) as db:
        db.executescript((folder / f"analytics_{version}.sql").read_text())
        fill_bars(db, CLOSES)
        db.execute(f"PRAGMA user_version={version}")
        db.commit()
    found = taken(Lake(tmp_path), entry=1.5)
    assert found.trades.height > 5
    with pytest.raises(InputError, match="no funding rates of AUSDT"):
        taken(Lake(tmp_path), funding=True)
