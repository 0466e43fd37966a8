"""Bars and pair analytics in Python: those of the lake, wherever they are, or computed."""

import csv
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

import spreadlake
from analytics_job.job import AnalyticsJob
from launcher.commands.app import app
from spreadlake.config import Settings
from spreadlake.errors import InputError, RemovedError
from spreadlake.lake import Lake
from spreadlake.lake.analytics import rows as reading
from spreadlake.lake.analytics.definition import DEFAULT
from spreadlake.research import bar_source
from spreadlake.research.frames import bars as lake_bars
from spreadlake.series import BarKey
from tests.analytics_job import harness
from tests.analytics_job.archive.test_removal import BY_AGE, HOT_HOUR, MIDNIGHT, analysed, config
from tests.analytics_job.archiving import EPOCH_MS, HOURS, roll
from tests.research.bar_lake import BEGIN, make_bar_lake, walks

A, B = "AUSDT", "BUSDT"
START = EPOCH_MS // 1000
FIRST = HOURS * 3600  # seconds of the first stretch; the second is two days later
SERIES: dict[str, Any] = {"timeframe": "1s", "window": 30, "lookback": 60}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Two stretches with a break between them, all but the newest hour in Parquet."""
    lake, job = analysed(tmp_path_factory.mktemp("whole"), config(**HOT_HOUR))
    roll(job)
    job.close()
    lake.close()
    return lake.lake


@pytest.fixture(scope="module")
def removed(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The same, and its first day was removed to make room."""
    lake, job = analysed(tmp_path_factory.mktemp("removed"), config(**HOT_HOUR, **BY_AGE))
    roll(job)
    job.close()
    lake.close()
    return lake.lake


def epochs(frame: pl.DataFrame, column: str = "time") -> list[int]:
    assert frame.schema[column] == pl.Datetime("us", "UTC")
    return frame[column].dt.epoch("s").to_list()


def at(second: float) -> datetime:
    return datetime.fromtimestamp(second, UTC)


@pytest.mark.parametrize("timeframe", ["1s", "1m"])
def test_bars_are_those_of_the_lake(whole: Lake, timeframe: str) -> None:
    opened = spreadlake.open(whole.root)
    with lake_bars.analytics_of(whole) as db:
        for symbols in (A, [B, A], None):
            found = opened.bars(symbols, timeframe).collect()
            keys = [BarKey(s, timeframe) for s in ([A] if symbols == A else symbols or [A, B])]
            wanted = pl.concat(
                reading.read_frame(db, whole, key, 0, 2**40).drop("timeframe") for key in keys
            )
            assert epochs(found) == wanted["time"].to_list()
            assert_frame_equal(found.drop("time"), wanted.drop("time"))


def test_longer_bars_are_made_of_stored_ones(whole: Lake) -> None:
    opened = spreadlake.open(whole.root)
    minutes = opened.bars(A, "1m").collect()
    made = opened.bars(A, "7m").collect()
    wanted = (
        minutes.with_columns(pl.col("time").dt.truncate("7m"))
        .group_by("time", maintain_order=True)
        .agg(
            pl.col("open").first(), pl.col("high").max(), pl.col("low").min(),
            pl.col("close").last(), pl.col("volume").sum(), pl.col("trades").sum(),
        )
    )  # fmt: skip
    shared = made.join(wanted, on="time", how="inner")
    assert shared.height > made.height - 3  # but for the ends, where a bar is not whole
    for name in ("open", "high", "low", "close", "volume", "trades"):
        assert shared[name].to_list() == pytest.approx(shared[f"{name}_right"].to_list())
    assert made["time"].is_unique().all()


@pytest.mark.parametrize("timeframe", ["1s", "1m", "5m", "1h"])
@pytest.mark.parametrize("cells", [500_000, 700])
def test_a_span_of_bars(
    whole: Lake, timeframe: str, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake_bars, "_CELLS", cells)
    opened = spreadlake.open(whole.root)
    every = opened.bars([A, B], timeframe).collect()
    assert every.select("symbol", "time").is_unique().all()
    # Within the first stretch, within the break, and over it.
    for start, end in ((1000, 9000), (FIRST + 5000, FIRST + 6000), (FIRST - 7000, 3 * 86_400)):
        low, high = at(START + start), at(START + end + 0.5)
        wanted = every.filter((pl.col("time") >= low) & (pl.col("time") < high))
        given = opened.bars([A, B], timeframe, low, high).collect()
        assert_frame_equal(given, wanted)
        asked = opened.bars([A, B], timeframe)
        asked = asked.filter((pl.col("time") >= low) & (pl.col("time") < high))
        assert_frame_equal(asked.collect(), wanted)


def test_wide_bars_are_times_by_symbols(whole: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake_bars, "_CELLS", 5000)
    opened = spreadlake.open(whole.root)
    for value in ("close", "trades"):
        wide = opened.bars([B, A], "1s", wide=value).collect()
        assert wide.columns == ["time", B, A]
        long = opened.bars([A, B], "1s").collect()
        wanted = long.pivot("symbol", index="time", values=value).sort("time")
        assert_frame_equal(wide, wanted.select("time", B, A))


def test_wide_bars_have_no_value_where_there_is_no_bar(tmp_path: Path) -> None:
    closes = walks(["AUSDT", "BUSDT", "CUSDT"], 50)
    closes["BUSDT"][[0, 1, 20, 21, 49]] = float("nan")
    closes["AUSDT"][[0, 20]] = closes["CUSDT"][[0, 20]] = float("nan")
    lake = make_bar_lake(tmp_path, closes)
    wide = spreadlake.open(lake.root).bars(wide="close")
    found = wide.collect()
    assert epochs(found) == [BEGIN + 60 * n for n in range(50) if n not in (0, 20)]
    assert found["BUSDT"].null_count() == 3
    one = wide.select("BUSDT").collect()  # the same rows, whatever is asked for
    assert one["BUSDT"].equals(found["BUSDT"])
    assert wide.select(pl.len()).collect().item() == 48
    late = wide.filter(pl.col("BUSDT").is_null()).collect()
    assert epochs(late) == [BEGIN + 60 * n for n in (1, 21, 49)]


def test_a_long_bar_that_holds_both_ends_of_a_break_is_there_once(tmp_path: Path) -> None:
    closes, first = walks([A, B], 200), -(-BEGIN // 3600) * 3600
    for close in closes.values():
        close[80:110] = float("nan")
    gone = (first + 80 * 60, first + 110 * 60)
    lake = make_bar_lake(tmp_path, closes, start=first, breaks=[gone])
    opened = spreadlake.open(lake.root)
    assert epochs(opened.bars(A, "1h").collect()) == [first, first + 3600, first + 7200]
    assert epochs(opened.bars(A, "1m").collect()) == [
        first + 60 * n for n in range(200) if not 80 <= n < 110
    ]
    assert opened.pair(A, B, "1m", window=10, lookback=20).collect().height == 71 + 81


def test_what_is_not_asked_for_is_not_read(whole: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[Any] = []

    def counted(db: Any, lake: Any, symbols: Any, timeframe: str, *span: Any) -> pl.DataFrame:
        reads.append((symbols, *span))
        return reading.read_bars(db, lake, symbols, timeframe, *span)

    monkeypatch.setattr(bar_source, "read_bars", counted)
    asked = spreadlake.open(whole.root).bars(None, "1s")
    asked = asked.filter((pl.col("symbol") == B) & (pl.col("time") >= at(START + 900)))
    found = asked.filter(pl.col("time") < at(START + 960)).select("time", "close").collect()
    assert found.height == 60
    assert reads == [([B], START + 900, START + 960, frozenset({"symbol", "time", "close"}))]


def test_bars_that_were_removed_are_told(removed: Lake) -> None:
    opened = spreadlake.open(removed.root)
    assert epochs(opened.bars(A, "1s").collect())[0] == MIDNIGHT
    assert epochs(opened.bars(A, "1s", MIDNIGHT).head(1).collect()) == [MIDNIGHT]
    for span in ((START, None), (None, MIDNIGHT), (START, START + 60)):
        for wide in (None, "close"):
            with pytest.raises(RemovedError, match="were removed"):
                opened.bars(A, "1s", *span, wide=wide).collect()
        with pytest.raises(RemovedError, match="were removed"):
            opened.pair(A, B, **SERIES, start=span[0], end=span[1]).collect()


def commanded(lake: Lake, *arguments: object) -> list[dict[str, str]]:
    target = lake.root / "rows.csv"
    named = ["--data", str(lake.root), "--pair", f"{A}/{B}", "-o", str(target), "--epoch"]
    ended = CliRunner().invoke(app, ["csv", *named, *map(str, arguments)])
    assert ended.exit_code == 0, ended.output
    with target.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("timeframe", "window", "lookback", "prices"),
    [
        ("1s", 30, 60, None),  # kept by the job
        ("1s", 30, 60, "raw"),
        ("1s", 30, 60, "log"),
        ("1m", 20, 45, None),
        ("2m", 10, 30, "log"),
    ],
)
def test_a_pair_has_the_rows_of_the_command(
    whole: Lake, timeframe: str, window: int, lookback: int, prices: Any
) -> None:
    request = ("--timeframe", timeframe, "--window", window, "--lookback", lookback)
    wanted = commanded(whole, *request, *(["--prices", prices] if prices else []))
    opened = spreadlake.open(whole.root)
    lazy = opened.pair(A, B, timeframe, window=window, lookback=lookback, prices=prices)
    found = lazy.collect()
    assert found.columns == list(wanted[0])
    assert epochs(found) == [int(row["time"]) for row in wanted]
    assert epochs(found, "close_time") == [int(row["close_time"]) for row in wanted]
    assert found["prices"].to_list() == [row["prices"] for row in wanted]
    for name in set(found.columns) - {"time", "close_time", "prices"}:
        values = [float(row[name]) if row[name] else None for row in wanted]
        assert found[name].is_null().to_list() == [value is None for value in values]
        own = found[name].drop_nulls().to_list()
        assert own == pytest.approx([v for v in values if v is not None], rel=1e-9, abs=1e-12)
    middle = found["time"][found.height // 2]
    window = np.int64(window)  # type: ignore[assignment]
    part = lazy.filter(pl.col("time") >= middle).select("zscore", "close_time").head(700)
    wanted_part = found.filter(pl.col("time") >= middle).select("zscore", "close_time").head(700)
    assert_frame_equal(part.collect(), wanted_part)
    given = opened.pair(
        A, B, timeframe, window=window, lookback=lookback, prices=prices, start=middle
    )
    assert_frame_equal(given.collect(), found.filter(pl.col("time") >= middle))
    before = opened.pair(
        A, B, timeframe, window=window, lookback=lookback, prices=prices, end=middle
    )
    assert_frame_equal(before.collect(), found.filter(pl.col("time") < middle))


def test_rows_that_are_kept_for_longer_than_bars(tmp_path: Path) -> None:
    lake, job = analysed(tmp_path, config(**HOT_HOUR, keep_days={"bars": 1}))
    roll(job)
    job.close()
    lake.close()
    opened = spreadlake.open(tmp_path)
    found = opened.pair(A, B, **SERIES).collect()
    assert epochs(found)[0] < MIDNIGHT
    assert epochs(opened.pair(A, B, **SERIES, prices="raw").collect())[0] >= MIDNIGHT
    # Not kept up to date any more: those of before are there all the same.
    other = harness.settings(**{**CONFIG_OF_NONE, "symbols": [A, B]})
    job = AnalyticsJob(Lake(tmp_path), other)
    job.step()
    job.close()
    again = opened.pair(A, B, **SERIES).collect()
    assert epochs(again) == epochs(found)
    with pytest.raises(RemovedError):
        opened.pair(A, B, "1s", window=31, lookback=60, start=START).collect()


CONFIG_OF_NONE: dict[str, Any] = {"pairs": [], "timeframes": ["1s", "1m"], "alerts": []}


def test_mistakes_are_named(whole: Lake, tmp_path: Path) -> None:
    opened = spreadlake.open(whole.root)
    mistakes: list[tuple[Callable[[], object], str]] = [
        (lambda: opened.bars("XUSDT"), f"no bars of XUSDT; it has those of {A}, {B}"),
        (lambda: opened.bars(A, "90"), "timeframe '90'"),
        (lambda: opened.bars(A, "1d"), "timeframe '1d'"),
        (lambda: opened.bars(A, 60), "timeframe 60 is not a text"),  # type: ignore[arg-type]
        (lambda: opened.bars(5), "5 is no symbol"),  # type: ignore[arg-type]
        (lambda: opened.bars([A, None]), "None is no symbol"),  # type: ignore[list-item]
        (lambda: opened.bars(A, wide="price"), "wide='price': bars have one of open, high"),
        (lambda: opened.bars(A, start="2026-01-02", end="2026-01-01"), "is before start"),
        (lambda: opened.pair(A, A), "two different symbols"),
        (lambda: opened.pair(A, "XUSDT"), "no bars of XUSDT"),
        (lambda: opened.pair(A, B, "1d"), "timeframe '1d'"),
        (lambda: opened.pair(A, B, window=1), "window=1 is not a number of bars from 2"),
        (lambda: opened.pair(A, B, lookback=2.5), "lookback=2.5 is not a number of bars"),  # type: ignore[arg-type]
        (lambda: opened.pair(A, B, window=True), "window=True is not a number of bars"),
        (lambda: opened.pair(A, B, prices="logs"), "prices 'logs' are neither raw nor log"),  # type: ignore[arg-type]
    ]
    for call, message in mistakes:
        with pytest.raises(InputError, match=message):
            call()
    harness.TestLake(tmp_path).close()
    empty = spreadlake.open(tmp_path)
    with pytest.raises(InputError, match="no trades of AUSDT; it has none of any symbol"):
        empty.trades(A)
    with pytest.raises(InputError, match="has no bars"):
        empty.bars(A)
    assert empty.trades().collect().is_empty()
    assert empty.alerts().is_empty()
    assert empty.gaps().is_empty()


def test_a_lake_without_series_is_as_one_with_the_default_settings() -> None:
    usual = Settings()
    kalman = usual.kalman
    wanted = (usual.max_stale_bars, kalman.delta, kalman.observation_variance, usual.prices)
    assert wanted == DEFAULT
