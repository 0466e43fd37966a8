"""Grids and walk-forward on the bars of a lake, as Python gives them."""

import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import spreadlake
from spreadlake.errors import InputError
from spreadlake.quant.backtest.tables import CHOSEN_SCHEMA, FOLDS_SCHEMA, GRID_SCHEMA
from spreadlake.research.open_lake import OpenLake
from tests.research.bar_lake import BEGIN, make_bar_lake, walks

BARS = 1200
GRID: dict[str, list[Any]] = {
    "entry": [1.0, 1.5, 2.0],
    "window": [20, 40],
    "stop": [None, 2.0],
    "prices": ["raw", "log"],
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> OpenLake:
    root = tmp_path_factory.mktemp("grid")
    make_bar_lake(root, walks(["AAAUSDT", "BBBUSDT"], BARS))
    return spreadlake.open(root)


def _grid(lake: OpenLake, **options: Any) -> Any:
    usual: dict[str, Any] = {"lookback": 60, "fee_bps": 0.5, "grid": GRID}
    return lake.backtest("AAAUSDT", "BBBUSDT", **(usual | options))


def _one(lake: OpenLake, row: dict[str, Any], **options: Any) -> Any:
    """The set of a row of a table, alone."""
    names = ("window", "lookback", "prices", "entry", "exit", "stop", "max_bars")
    values = {name: row[name] for name in names}
    return lake.backtest("AAAUSDT", "BBBUSDT", fee_bps=0.5, **values, **options)


def test_numbers_of_numpy_are_numbers(lake: OpenLake) -> None:
    found = _grid(
        lake,
        lookback=np.int64(60),
        fee_bps=np.float32(0.5),
        grid={"entry": np.linspace(1, 2, 3), "window": np.arange(20, 60, 20), "stop": [None]},
    )
    wanted = _grid(lake, grid={"entry": [1.0, 1.5, 2.0], "window": [20, 40], "stop": [None]})
    assert found.grid.equals(wanted.grid)
    assert json.dumps(found.settings) == json.dumps(wanted.settings)
    bars: dict[str, Any] = {"window": np.int64(20), "lookback": np.int64(60)}
    rows = lake.pair("AAAUSDT", "BBBUSDT", **bars).collect()
    assert rows.equals(lake.pair("AAAUSDT", "BBBUSDT", window=20, lookback=60).collect())


def test_every_row_of_the_table_is_what_the_set_does_alone(lake: OpenLake) -> None:
    found = _grid(lake)
    assert found.grid.schema == GRID_SCHEMA
    assert found.grid.height == 20  # stop 2 and entry 2 do not go together
    assert found.grid["rank"].to_list() == list(range(1, 21))
    assert found.grid["sharpe"].is_sorted(descending=True)
    for row in found.grid.iter_rows(named=True):
        alone = _one(lake, row)
        assert {name: row[name] for name in alone.summary} == alone.summary
    best = _one(lake, found.grid.row(0, named=True))
    assert found.trades.equals(best.trades)
    assert found.equity.equals(best.equity)
    assert found.summary == best.summary
    assert found.settings == best.settings
    assert found.notes == [
        "4 sets left out: stop 2 is not above entry 2: a position would be stopped where it is "
        "opened"
    ]


def test_what_the_best_is_worth(lake: OpenLake) -> None:
    found = _grid(lake)
    chosen = found.selection
    assert chosen["varied"] == list(GRID)
    assert (chosen["sets"], chosen["trials"]) == (20, 20)
    assert sum(chosen["left_out"].values()) == 4
    assert chosen["observations"] == found.equity.height - 1
    steps = np.diff(found.equity["equity"].to_numpy())
    spread = (steps - steps.mean()) / steps.std()
    assert chosen["skewness"] == pytest.approx((spread**3).mean())
    assert chosen["kurtosis"] == pytest.approx((spread**4).mean())
    assert chosen["sharpe"] == found.summary["sharpe"]
    assert 0 < chosen["deflated_sharpe"] < chosen["probabilistic_sharpe"] < 1
    row = found.grid.row(0, named=True)
    for name in ("skewness", "kurtosis", "probabilistic_sharpe", "deflated_sharpe"):
        assert row[name] == chosen[name]
    # A ratio that is what the best shows by chance is one with a probability of a half.
    yearly = math.sqrt(365 * 24 * 60)
    ratio, chance = chosen["sharpe"] / yearly, chosen["expected_maximum_sharpe"] / yearly
    error = math.sqrt(1 - chosen["skewness"] * ratio + (chosen["kurtosis"] - 1) / 4 * ratio**2)
    z = (ratio - chance) * math.sqrt(chosen["observations"] - 1) / error
    assert chosen["deflated_sharpe"] == pytest.approx(0.5 * math.erfc(-z / math.sqrt(2)))


def test_each_test_span_is_a_back_test_of_what_was_best_before(lake: OpenLake) -> None:
    found = _grid(lake, train="6h", test="2h")
    assert found.folds.schema == FOLDS_SCHEMA
    assert found.folds.height == 7
    nets = 0.0
    for row in found.folds.iter_rows(named=True):
        train = {"start": row["train_start"], "end": row["test_start"]}
        best = _grid(lake, **train)
        assert row["test_start"] - row["train_start"] == timedelta(hours=6)
        assert {name: row[name] for name in GRID} == {name: best.settings[name] for name in GRID}
        assert row["train_sharpe"] == best.summary["sharpe"]
        assert row["train_net"] == best.summary["net"]
        assert row["train_trades"] == best.summary["trades"]
        assert row["train_deflated_sharpe"] == pytest.approx(best.selection["deflated_sharpe"])
        tested = _one(lake, row, start=row["test_start"], end=row["test_end"])
        assert row["test_net"] == tested.summary["net"]
        assert row["test_sharpe"] == tested.summary["sharpe"]
        here = found.trades.filter(
            pl.col("entry_time").is_between(row["test_start"], row["test_end"], closed="left")
        )
        assert here.drop("trade").equals(tested.trades.drop("trade"))
        nets += tested.summary["net"]
    assert found.summary["net"] == pytest.approx(nets)
    assert found.equity["equity"][-1] == pytest.approx(nets)
    assert found.equity["time"][0] == found.folds["test_start"][0]
    assert found.equity["close_time"][-1] == found.folds["test_end"][-1]
    assert found.grid is None


def test_how_often_each_value_was_chosen(lake: OpenLake) -> None:
    found = _grid(lake, train="6h", test="2h")
    assert found.chosen.schema == CHOSEN_SCHEMA
    for name, values in GRID.items():
        rows = found.chosen.filter(pl.col("parameter") == name)
        assert rows["value"].to_list() == [
            "none" if v is None else f"{v:g}" if isinstance(v, float) else str(v) for v in values
        ]
        assert rows["folds"].sum() == 7
        assert rows["share"].sum() == pytest.approx(1)
        for value, folds in zip(values, rows["folds"], strict=True):
            assert folds == sum(
                found.folds[name].eq_missing(pl.Series([value], dtype=found.folds[name].dtype)[0])
            )


def test_in_sample_beside_out_of_sample(lake: OpenLake) -> None:
    found = _grid(lake, train=360, test=timedelta(hours=2))
    chosen = found.selection
    assert (chosen["train_bars"], chosen["test_bars"], chosen["folds"]) == (360, 120, 7)
    inside, outside = chosen["in_sample"], chosen["out_of_sample"]
    assert inside["net"] == pytest.approx(found.folds["train_net"].sum())
    assert inside["trades"] == found.folds["train_trades"].sum()
    assert inside["observations"] == 7 * 359
    assert inside["net_per_day"] == pytest.approx(inside["net"] / (7 * 359 / 1440))
    assert outside["net"] == pytest.approx(found.summary["net"])
    assert outside["sharpe"] == found.summary["sharpe"]
    assert outside["trades"] == found.summary["trades"] == len(found.trades)
    assert outside["observations"] == 1200 - 360 - 1
    # What was chosen because it was the best did worse afterwards.
    assert inside["sharpe"] > outside["sharpe"]
    assert {name: found.settings[name] for name in GRID} == dict.fromkeys(GRID)
    assert found.settings["lookback"] == 60


def test_folds_are_counted_from_the_first_bar_of_the_time(lake: OpenLake) -> None:
    start = datetime.fromtimestamp(BEGIN + 90 * 60, UTC)
    found = _grid(lake, train="6h", test="2h", start=start, end=start + timedelta(hours=9))
    assert found.folds["train_start"].to_list() == [start, start + timedelta(hours=2)]
    assert found.folds["test_end"][-1] == start + timedelta(hours=9)


def test_without_a_trade_nothing_is_best(lake: OpenLake) -> None:
    found = _grid(lake, grid={"entry": [50.0, 60.0]})
    assert found.selection["trials"] == 0
    assert found.selection["deflated_sharpe"] is None
    assert found.selection["expected_maximum_sharpe"] is None
    assert found.grid["sharpe"].to_list() == [None, None]
    assert found.grid["entry"].to_list() == [50.0, 60.0]
    assert found.notes == ["none of 2 sets made a trade"]
    walked = _grid(lake, grid={"entry": [50.0, 60.0]}, train="6h", test="2h")
    assert walked.selection["folds_without_choice"] == 7
    assert walked.folds["entry"].to_list() == [None] * 7
    assert walked.selection["in_sample"]["sharpe"] is None
    assert walked.summary["trades"] == 0
    assert walked.notes == ["in training of 7 folds no set made a trade: none is used"]


def test_gates_are_varied_too(lake: OpenLake) -> None:
    grid = {"max_adf_pvalue": [None, 0.05], "min_correlation": [None, 0.95], "entry": [1.0, 2.0]}
    found = _grid(lake, grid=grid)
    for row in found.grid.iter_rows(named=True):
        gates = {name: row[name] for name in ("max_adf_pvalue", "min_correlation")}
        assert row["net"] == _one(lake, row, **gates).summary["net"]
    assert found.grid["net"].n_unique() > 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train": "6h"}, "a walk-forward needs both spans"),
        ({"test": "6h"}, "a walk-forward needs both spans"),
        ({"train": "6x", "test": "2h"}, "train: '6x' is no span of time"),
        ({"train": "6h", "test": "90s"}, "test: 90s is no whole number of bars"),
        ({"train": "20h", "test": "2h"}, "training takes 1,200 bars and there are 1,200 bars"),
        ({"grid": {}}, "a grid needs a parameter"),
        ({"grid": {"windows": [1]}}, "grid windows: it is no parameter"),
        ({"grid": None, "train": "6h", "test": "1h"}, "of a grid: add one"),
    ],
)
def test_what_cannot_be_done_is_said(lake: OpenLake, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        _grid(lake, **options)


def test_a_span_is_a_timedelta_too(lake: OpenLake) -> None:
    found = _grid(lake, train=timedelta(minutes=360), test=timedelta(hours=2)).folds
    assert found.equals(_grid(lake, train="6h", test="2h").folds)
    with pytest.raises(InputError, match="training takes 43,200 bars"):
        _grid(lake, train=timedelta(days=30), test="2h")
    with pytest.raises(InputError, match=r"test: '0\.5s' is no span of time"):
        _grid(lake, train="6h", test=timedelta(milliseconds=500))


def test_sets_with_a_lookback_too_short_for_a_test_are_left_out(lake: OpenLake) -> None:
    found = _grid(lake, grid={"max_adf_pvalue": [None, 0.5], "lookback": [20, 40]})
    assert found.grid.select("lookback", "max_adf_pvalue").sort("lookback").height == 3
    (reason,) = found.selection["left_out"]
    assert "max_adf_pvalue needs a lookback of 30 bars or more" in reason
    assert found.selection["left_out"][reason] == 1
    with pytest.raises(InputError, match="lookback of 30 bars or more"):
        _grid(lake, lookback=20, max_adf_pvalue=0.5, grid={"entry": [1.0, 2.0]})


def test_the_rules_that_are_varied_need_not_go_with_the_others(lake: OpenLake) -> None:
    found = _grid(lake, exit=2.5, grid={"entry": [3.0]})
    assert (found.settings["entry"], found.settings["exit"]) == (3.0, 2.5)


def test_bars_after_a_training_change_no_choice(tmp_path: Path) -> None:
    closes = walks(["AAAUSDT", "BBBUSDT"], BARS)
    before = _grid(spreadlake_of(tmp_path / "one", closes), train="6h", test="2h")
    other = {symbol: close.copy() for symbol, close in closes.items()}
    for seed, close in enumerate(other.values()):
        steps = np.random.default_rng(seed).normal(0, 5e-3, BARS - 600)
        close[600:] = close[599] * np.exp(np.cumsum(steps))
    after = _grid(spreadlake_of(tmp_path / "other", other), train="6h", test="2h")
    known = ["fold", *GRID, "train_sharpe", "train_net"]  # trainings that end by bar 600
    assert after.folds.head(3).select(known).equals(before.folds.head(3).select(known))
    assert after.folds.head(2).equals(before.folds.head(2))
    assert not after.folds.equals(before.folds)
    first = spreadlake_of(tmp_path / "first", {s: close[:600] for s, close in closes.items()})
    assert _grid(first, train="6h", test="2h").folds.equals(before.folds.head(2))


def spreadlake_of(root: Path, closes: dict[str, Any]) -> OpenLake:
    make_bar_lake(root, closes)
    return spreadlake.open(root)
