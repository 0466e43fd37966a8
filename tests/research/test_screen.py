"""Which bars and symbols a screen is of, at any time of a lake."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from analytics_job.job import AnalyticsJob
from spreadlake.errors import InputError
from spreadlake.lake import Lake
from spreadlake.quant.screen import SCREEN_SCHEMA, ScreenOptions, screen_all_pairs
from spreadlake.research import NoScreenError, Screen, ScreenRequest, take_screen
from tests.analytics_job import harness
from tests.analytics_job.markets import EPOCH, walk
from tests.research.bar_lake import BEGIN, make_bar_lake, walks

NAMES = ["AUSDT", "BUSDT", "CUSDT", "DUSDT"]
OPTIONS = ScreenOptions(lookback=40, window=20)
REQUEST = ScreenRequest(options=OPTIONS, max_stale_bars=5)
BARS = 100
CLOSES = walks(NAMES, BARS)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return make_bar_lake(tmp_path_factory.mktemp("lake"), CLOSES)


def computed(last: int, names: list[str] = NAMES, options: ScreenOptions = OPTIONS) -> pl.DataFrame:
    """The screen at a bar, from the closes themselves."""
    bars = max(options.lookback, options.window)
    close = np.array([CLOSES[name][last + 1 - bars : last + 1] for name in names])
    volume = np.full(len(names), 1_000.0 * options.lookback)
    return screen_all_pairs(names, close, volume, options, BEGIN + last * 60)


def test_a_screen_is_of_the_newest_bar(lake: Lake) -> None:
    told: list[tuple[int, int]] = []
    screen = take_screen(lake, REQUEST, advance=lambda done, total: told.append((done, total)))
    assert screen.rows.equals(computed(BARS - 1), null_equal=True)
    assert screen.symbols == tuple(NAMES)
    assert screen.left_out == {}
    assert screen.close_time == BEGIN + BARS * 60
    assert told == [(0, 6), (6, 6)]
    frame = screen.frame()
    assert frame.schema["time"] == pl.Datetime("us", "UTC")
    assert frame["time"].dt.epoch("s").to_list() == screen.rows["time"].to_list()
    assert frame.columns == SCREEN_SCHEMA.names()


@pytest.mark.parametrize(("seconds", "last"), [(0, 59), (0.5, 59), (59.9, 59), (60, 60)])
def test_a_screen_is_as_it_was_known_then(lake: Lake, seconds: float, last: int) -> None:
    """A bar is known at its end, and not before."""
    screen = take_screen(lake, REQUEST, at=BEGIN + 60 * 60 + seconds)
    assert screen.time == BEGIN + last * 60
    assert screen.rows.equals(computed(last), null_equal=True)


def test_what_comes_later_changes_nothing(lake: Lake, tmp_path: Path) -> None:
    shorter = make_bar_lake(tmp_path, {name: close[:70] for name, close in CLOSES.items()})
    at = BEGIN + 70 * 60
    one, other = (take_screen(of, REQUEST, at=at).rows for of in (lake, shorter))
    assert one.equals(other, null_equal=True)


def test_longer_bars_are_made_of_the_stored_ones(lake: Lake) -> None:
    screen = take_screen(
        lake, REQUEST._replace(timeframe="2m", options=ScreenOptions(30, 10)), at=BEGIN + 82 * 60
    )
    close = np.array([CLOSES[name][1:82:2][-30:] for name in NAMES])  # of every second bar
    want = screen_all_pairs(NAMES, close, np.full(4, 60_000.0), ScreenOptions(30, 10), screen.time)
    assert screen.length == 120
    assert screen.rows.equals(want, null_equal=True)


def test_named_symbols_are_screened_and_no_others(lake: Lake) -> None:
    screen = take_screen(lake, REQUEST._replace(symbols=("CUSDT", "AUSDT")))
    assert screen.symbols == ("AUSDT", "CUSDT")
    assert screen.rows.equals(computed(BARS - 1, ["AUSDT", "CUSDT"]), null_equal=True)


def left_out(root: Path, changed: dict[str, Any], **lake: Any) -> Screen:
    closes = {name: close.copy() for name, close in CLOSES.items()} | changed
    return take_screen(make_bar_lake(root, closes, **lake), REQUEST)


def late(bars: int) -> Any:
    close = CLOSES["CUSDT"].copy()
    close[: BARS - bars] = np.nan
    return close


def holed(at: int) -> Any:
    close = CLOSES["CUSDT"].copy()
    close[at] = np.nan
    return close


@pytest.mark.parametrize(
    ("close", "idle", "why"),
    [
        (late(39), [], "39 of 40 bars"),
        (late(40), [], None),
        (holed(BARS - 30), [], "29 of 40 bars"),
        (holed(BARS - 41), [], None),
        (holed(BARS - 1), [], "no bar then"),
        (CLOSES["CUSDT"], range(BARS - 6, BARS), "no trade for more than 5 bars"),
        (CLOSES["CUSDT"], range(BARS - 5, BARS), None),
        (np.full(BARS, 7.0), [], "its close did not vary"),
    ],
)
def test_who_is_left_out_and_why(tmp_path: Path, close: Any, idle: Any, why: str | None) -> None:
    screen = left_out(tmp_path, {"CUSDT": close}, idle={"CUSDT": list(idle)})
    assert screen.left_out == ({} if why is None else {"CUSDT": why})
    assert len(screen.symbols) == (4 if why is None else 3)
    assert screen.rows.height == (6 if why is None else 3)


def test_each_leg_has_the_volume_asked_for(tmp_path: Path) -> None:
    lake = make_bar_lake(tmp_path, CLOSES, idle={"DUSDT": [BARS - 12]})
    screen = take_screen(lake, REQUEST._replace(min_volume=40_000))
    assert screen.left_out == {"DUSDT": "less volume than 40,000"}
    assert set(screen.rows["volume_a"]) == {40_000.0}
    assert take_screen(lake, REQUEST._replace(min_volume=39_000)).left_out == {}


def test_a_longer_window_reads_further_back(lake: Lake) -> None:
    options = ScreenOptions(lookback=30, window=90)
    screen = take_screen(lake, REQUEST._replace(options=options))
    assert screen.rows.equals(computed(BARS - 1, options=options), null_equal=True)


def test_a_break_is_not_looked_over(tmp_path: Path) -> None:
    """Bars before it do not count, also where long bars lie on both sides of it."""
    begun = BEGIN + 65 * 60
    lake = make_bar_lake(tmp_path / "short", CLOSES, breaks=[(begun - 20, begun + 5)])
    with pytest.raises(NoScreenError, match=r"no symbol of 4 can be tested \(AUSDT: 35 of 40 bars"):
        take_screen(lake, REQUEST)
    assert take_screen(lake, REQUEST._replace(options=ScreenOptions(35, 20))).rows.height == 6
    # The window may reach back further than the lookback: it has no number then.
    longer = take_screen(lake, REQUEST._replace(options=ScreenOptions(35, 36)))
    assert longer.rows["zscore"].null_count() == 6
    assert take_screen(lake, REQUEST, at=begun).rows.equals(computed(64), null_equal=True)


def test_within_a_break_the_bars_before_it_are_the_newest(tmp_path: Path) -> None:
    closes = {}
    for name, close in CLOSES.items():
        closes[name] = np.concatenate([close[:60], np.full(200, np.nan), close[60:]])
    lake = make_bar_lake(tmp_path, closes, breaks=[(BEGIN + 3_600, BEGIN + 260 * 60)])
    for at in (3_600, 3_601, 3_600 * 2, 260 * 60 - 1):
        screen = take_screen(lake, REQUEST, at=BEGIN + at)
        assert screen.rows.equals(computed(59), null_equal=True)
    with pytest.raises(NoScreenError, match="no newer bar"):
        take_screen(lake, REQUEST, at=BEGIN + 7_200, after=screen.time)


@pytest.mark.parametrize(
    ("request_", "at", "message"),
    [
        (REQUEST, BEGIN + 59, "nothing was known at .*: the first bar of the lake ends at"),
        (REQUEST, BEGIN + 600, r"no symbol of 4 can be tested \(AUSDT: 10 of 40 bars; "),
        (REQUEST._replace(symbols=("AUSDT", "XUSDT")), None, "no bars of XUSDT; it has those of"),
        (REQUEST._replace(timeframe="30s"), None, "cannot be made of those that the lake has"),
        (REQUEST._replace(timeframe="x"), None, "'x' is not a whole number of s, m or h"),
        (REQUEST._replace(options=ScreenOptions(29)), None, "29 bars is too short"),
        (REQUEST._replace(min_volume=1e9), None, "less volume than 1,000,000,000"),
    ],
)
def test_what_cannot_be_screened_is_told(
    lake: Lake, request_: ScreenRequest, at: float | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        take_screen(lake, request_, at)


def test_an_empty_lake_says_so(tmp_path: Path) -> None:
    lake = harness.TestLake(tmp_path)
    AnalyticsJob(lake.lake, harness.settings(symbols=["AUSDT", "BUSDT"])).close()
    lake.close()
    with pytest.raises(InputError, match="it has those of none"):
        take_screen(lake.lake, REQUEST)


def test_a_lake_that_the_job_made_hot_and_cold(tmp_path: Path) -> None:
    """1m bars of real trades, with a part of them archived: the same screen."""
    config = harness.settings(symbols=NAMES, pairs=[], timeframes=["1s", "1m"], alerts=[])
    trades = walk(NAMES, 60 * 60, seed=8, per_second=0.4)
    lake = harness.run_job(tmp_path, config, [trades])
    request = REQUEST._replace(max_stale_bars=30)
    whole = take_screen(lake.lake, request)
    assert whole.rows.height == 6
    bars = pl.DataFrame(lake.table("bars")).filter(pl.col("timeframe") == "1m")
    closes = [
        bars.filter(pl.col("symbol") == name).sort("time")["close"].to_numpy()[-40:]
        for name in NAMES
    ]
    volumes = [
        bars.filter(pl.col("symbol") == name).sort("time")["quote_volume"].to_numpy()[-40:].sum()
        for name in NAMES
    ]
    want = screen_all_pairs(NAMES, np.array(closes), np.array(volumes), OPTIONS, whole.time)
    assert whole.rows.drop("volume_a", "volume_b").equals(
        want.drop("volume_a", "volume_b"), null_equal=True
    )
    np.testing.assert_allclose(whole.rows["volume_a"], want["volume_a"], rtol=1e-12)
    _archive(lake, EPOCH + 50 * 60)
    again = take_screen(lake.lake, request)
    assert again.rows.equals(whole.rows, null_equal=True)
    earlier = take_screen(lake.lake, request, at=EPOCH + 45 * 60)
    assert earlier.time == EPOCH + 44 * 60
    lake.close()


def _archive(lake: harness.TestLake, until: int) -> None:
    """1m bars before `until` to Parquet, as the job does."""
    from contextlib import closing

    from spreadlake.lake import atomic, open_analytics_writer
    from spreadlake.lake.analytics.archive import Piece, fetch_frame, write_piece
    from spreadlake.series import BARS

    with closing(open_analytics_writer(lake.lake)) as db:
        for name in NAMES:
            where = "symbol = ? AND timeframe = '1m' AND time < ?"
            rows = fetch_frame(db, BARS, where, (name, until))
            write_piece(rows, lake.lake, Piece.at(BARS, "1m", name, EPOCH))
            with atomic(db):
                db.execute(f"DELETE FROM bars WHERE {where}", (name, until))
        with atomic(db):
            db.execute("INSERT OR REPLACE INTO progress VALUES ('archived:1m', ?)", (until,))
