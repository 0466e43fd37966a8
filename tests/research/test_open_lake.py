"""`spreadlake.open`: a screen in Python is that of the command."""

import io
import json
import math
from datetime import UTC, date, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import spreadlake
from launcher.commands.app import app
from spreadlake.errors import InputError, LakeError
from spreadlake.lake import Lake, open_ticks_writer
from spreadlake.research.spans import Time
from spreadlake.times import iso_utc
from tests.research.bar_lake import BEGIN, make_bar_lake, walks

NAMES = ["AUSDT", "BUSDT", "CUSDT", "DUSDT"]
BARS = 100
CLOSES = walks(NAMES, BARS)
THEN = BEGIN + 80 * 60


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return make_bar_lake(tmp_path_factory.mktemp("lake"), CLOSES)


def commanded(lake: Lake, *arguments: str) -> pl.DataFrame:
    common = ["--lookback", "40", "--window", "20", "--data", str(lake.root), "-o", "-"]
    ended = CliRunner().invoke(app, ["screen", *common, *arguments])
    assert ended.exit_code == 0, ended.output
    return pl.read_csv(io.StringIO(ended.stdout), infer_schema_length=None)


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ({}, []),
        ({"at": iso_utc(THEN)}, ["--at", iso_utc(THEN)]),
        ({"at": THEN}, ["--at", str(THEN)]),
        ({"at": datetime.fromtimestamp(THEN, UTC)}, ["--at", str(THEN)]),
        ({"top": 2, "order": "zscore"}, ["--top", "2", "--order", "zscore"]),
        (
            {"symbols": ["CUSDT", "AUSDT", "BUSDT"], "prices": "raw", "fee_bps": 2},
            ["--symbols", "AUSDT,BUSDT,CUSDT", "--prices", "raw", "--fee-bps", "2"],
        ),
        ({"max_qvalue": 0.5, "threads": 2}, ["--max-qvalue", "0.5"]),
    ],
)
def test_a_screen_is_that_of_the_command(
    lake: Lake, options: dict[str, Any], arguments: list[str]
) -> None:
    found = spreadlake.open(lake.root).screen("1m", lookback=40, window=20, **options)
    wanted = commanded(lake, *arguments)
    assert found.columns == wanted.columns
    assert found["time"].dtype == pl.Datetime("us", "UTC")
    assert found.height == wanted.height > 0
    assert found.select("rank", "symbol_a", "symbol_b", "coint_pvalue", "edge_bps").rows() == (
        wanted.select("rank", "symbol_a", "symbol_b", "coint_pvalue", "edge_bps").rows()
    )


def test_mistakes_are_named(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="no lake in"):
        spreadlake.open(tmp_path)
    opened = spreadlake.open(lake.root)
    assert repr(opened) == f"spreadlake.open({str(lake.root)!r})"
    with pytest.raises(InputError, match="order 'best'"):
        opened.screen(lookback=40, order="best")
    with pytest.raises(InputError, match="no bars of NOPEUSDT"):
        opened.screen(lookback=40, symbols="NOPEUSDT")
    with pytest.raises(InputError, match="no zone"):
        opened.screen(lookback=40, at=datetime(2026, 11, 1))  # noqa: DTZ001
    with pytest.raises(InputError, match="1 symbol of 1 can be tested"):
        opened.screen(lookback=40, symbols="AUSDT")
    with pytest.raises(InputError, match="a pair needs two symbols"):
        opened.backtest_screen(symbols="AUSDT")
    for ask in (opened.screen, opened.backtest_screen):
        with pytest.raises(InputError, match="no symbol is named"):
            ask(lookback=40, symbols=[])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"prices": "x"}, "prices 'x' are neither raw nor log"),
        ({"prices": None}, "prices None are neither raw nor log"),
        ({"window": 0}, "window 0 is not a number of bars"),
        ({"window": "60"}, "window '60' is not a number of bars"),
        ({"lookback": 10**9}, "lookback 1000000000 is not a number of bars"),
        ({"lookback": "240"}, "lookback '240' is not a number of bars"),
        ({"lookback": 240.0}, r"lookback 240\.0 is not a number of bars"),
        ({"lookback": True}, "lookback True is not a number of bars"),
        ({"top": -1}, "top -1 is not a whole number from 1 to"),
        ({"top": 2.5}, r"top 2\.5 is not a whole number"),
        ({"top": 10**400}, r"top 1000+ is not a whole number from 1 to 1,000,000,000"),
        ({"top": "3"}, "top '3' is not a whole number"),
        ({"max_qvalue": "a"}, "max_qvalue 'a' is not a number from 0"),
        ({"max_qvalue": math.nan}, "max_qvalue nan is not a number from 0"),
        ({"min_volume": "a"}, "min_volume 'a' is not a number from 0 on"),
        ({"min_volume": -5}, "min_volume -5 is not a number from 0 on"),
        ({"fee_bps": "a"}, "fee_bps 'a'"),
        ({"fee_bps": -5}, "fee_bps -5"),
        ({"fee_bps": math.nan}, "fee_bps nan"),
        ({"fee_bps": 10**400}, r"fee_bps 1000+"),
        ({"min_volume": np.array([1, 2])}, r"min_volume .* is not a number from 0 on"),
        ({"slippage_bps": -1}, "slippage_bps -1"),
        ({"threads": 0}, "threads 0 is not a whole number from 1 to"),
        ({"timeframe": 60}, "timeframe 60 is not a text"),
        ({"timeframe": "9" * 9 + "h"}, "the lake has no finished (999999999h )?bar"),
        ({"timeframe": "9" * 5000 + "h"}, r"timeframe '9+h' is not a whole number of s, m or h"),
        ({"symbols": np.array(40)}, r"array\(40\) is no symbol"),
    ],
)
def test_what_no_screen_can_be_of_is_named(lake: Lake, given: dict[str, Any], message: str) -> None:
    opened = spreadlake.open(lake.root)
    for ask in (opened.screen, opened.backtest_screen):
        with pytest.raises(InputError, match=message):
            ask(**{"lookback": 40, "window": 20} | given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"every": 3600}, "every 3600 is not a text"),
        ({"every": timedelta(hours=1)}, "every .* is not a text"),
        ({"every": "1x"}, "every: timeframe '1x' is not"),
        ({"top": None}, "top None is not a whole number"),
        ({"max_qvalue": None}, "max_qvalue None is not a number from 0 to 1"),
        ({"max_positions": "a"}, "max_positions 'a' is not a number"),
        ({"max_positions": 1.5}, r"max_positions 1\.5 is not a whole number"),
        ({"max_positions": math.nan}, "max_positions nan is not a number"),
        ({"max_positions": 0}, "max_positions 0 lets nothing in"),
        ({"max_positions": True}, "max_positions True is not a number"),
        ({"max_notional": "a"}, "max_notional 'a' is not a number"),
        ({"max_notional": -(10**400)}, r"max_notional -1000+ is not a number"),
        ({"funding": "no"}, "funding 'no' is neither True nor False"),
    ],
)
def test_what_no_portfolio_can_be_of_is_named(
    lake: Lake, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        spreadlake.open(lake.root).backtest_screen(lookback=40, window=20, **given)


def test_numbers_of_numpy_are_numbers(lake: Lake) -> None:
    opened = spreadlake.open(lake.root)
    plain: dict[str, Any] = {"lookback": 40, "window": 20, "min_volume": 5, "top": 3}
    numpys: dict[str, Any] = {name: np.int64(value) for name, value in plain.items()}
    screens = [opened.screen(**given) for given in (plain, numpys)]
    assert screens[0].equals(screens[1], null_equal=True)
    more: dict[str, Any] = {"every": "10m", "max_qvalue": 1.0, "max_positions": 4}
    tests = [opened.backtest_screen(**given, **more) for given in (plain, numpys)]
    more |= {"max_qvalue": np.float64(1), "max_positions": np.int64(4), "funding": np.bool_(False)}
    tests.append(opened.backtest_screen(**numpys, **more))
    assert len({json.dumps([one.settings, one.summary]) for one in tests}) == 1


@pytest.mark.parametrize("at", ["1960-01-01", datetime(1960, 1, 1, tzinfo=UTC), date(1960, 1, 1)])
def test_before_the_first_bar_nothing_was_removed(lake: Lake, at: Time) -> None:
    opened = spreadlake.open(lake.root)
    with pytest.raises(InputError, match="nothing was known at 1960-01-01T00:00:00Z"):
        opened.screen(lookback=40, at=at)
    assert opened.bars("AUSDT", start=at).collect().height == BARS
    assert opened.backtest("AUSDT", "BUSDT", start=at).settings["bars"] == BARS


def test_a_number_too_great_for_a_time_is_none(lake: Lake) -> None:
    with pytest.raises(InputError, match=r"^at 1000+ is no time"):
        spreadlake.open(lake.root).screen(lookback=40, at=10**400)


@pytest.mark.parametrize(
    "time",
    [
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=10))),
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-10))),
        "0001-01-01T00:00+10:00",
        "9999-12-31T23:00-10:00",
    ],
)
def test_a_time_of_no_year_is_named(lake: Lake, time: Time) -> None:
    opened = spreadlake.open(lake.root)
    named = r"time '|(start|end|at) \d"
    for ask in (
        lambda: opened.screen(lookback=40, at=time),
        lambda: opened.backtest("AUSDT", "BUSDT", start=time),
        lambda: opened.backtest_screen(lookback=40, end=time),
        lambda: opened.bars(end=time),
    ):
        with pytest.raises(InputError, match=f"^({named}).* is of no year from 1 to 9999"):
            ask()


def test_an_order_and_a_column_are_names(lake: Lake) -> None:
    opened = spreadlake.open(lake.root)
    several: Any = np.array([1, 2])
    with pytest.raises(InputError, match=r"order array\(.*: a screen is ordered by one of"):
        opened.screen(order=several)
    with pytest.raises(InputError, match=r"wide=array\(.*: bars have one of"):
        opened.bars(wide=several)


def test_longer_than_the_lake_is_said(lake: Lake) -> None:
    opened = spreadlake.open(lake.root)
    with pytest.raises(InputError, match=f"it takes 101 bars, and the lake has {BARS}$"):
        opened.backtest_screen(lookback=BARS + 1)
    with pytest.raises(InputError, match="the lake has no finished 8784h bar yet"):
        opened.backtest_screen("8784h", lookback=100_000)


def test_no_kind_of_prices_is_not_that_of_the_lake(lake: Lake) -> None:
    opened = spreadlake.open(lake.root)
    for ask in (opened.backtest, opened.pair):
        with pytest.raises(InputError, match="prices '' are neither raw nor log"):
            ask("AUSDT", "BUSDT", prices="")  # type: ignore[arg-type]


def test_trades_that_are_not_analysed_yet_say_what_to_run(tmp_path: Path) -> None:
    open_ticks_writer(Lake(tmp_path)).close()
    opened = spreadlake.open(tmp_path)
    for ask in (opened.screen, partial(opened.backtest, "AUSDT", "BUSDT"), opened.bars):
        with pytest.raises(InputError, match="no bars yet; run spreadlake analyse --once on it"):
            ask()
