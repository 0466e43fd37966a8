"""What the pair charts draw beside z: spreads, hedge ratios of three kinds, prices from 100."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.grafana.lake_fixture import FixtureLake, build_lake
from tests.grafana.rendering import Table, dashboard, fill, query

END = 1_900_000_000
PRICES, SPREAD, BETA, CANDLES, ALIGNED = 11, 12, 13, 15, 18


def panel(number: int) -> dict[str, Any]:
    (found,) = [one for one in dashboard("spreadlake-pair")["panels"] if one["id"] == number]
    return dict(found)


def drawn(lake: FixtureLake, number: int, **chosen: str) -> Table:
    target = panel(number)["targets"][0]
    if "panelId" in target:
        target = panel(target["panelId"])["targets"][0]
    sql = target["queryText"]
    return query(lake.lake.root, fill(sql, lake.end - 299, lake.end + 1, 1, **chosen))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> FixtureLake:
    """A lake whose job keeps a Kalman filter's and a robust hedge ratio too."""
    lake = build_lake(tmp_path_factory.mktemp("kept"), END, seconds=700)
    with closing(sqlite3.connect(lake.lake.analytics_db)) as db, db:
        db.execute("UPDATE pair_analytics SET kalman_beta = 1.5 * beta")
        db.execute("UPDATE pair_tests SET time = ?, robust_beta = 20.5", (lake.end - 200,))
    return lake


def test_the_spread_as_it_is_stands_beside_the_one_less_its_mean(kept: FixtureLake) -> None:
    found = drawn(kept, SPREAD)
    stored = query(
        kept.lake.root,
        "SELECT time, spread, spread_mean FROM pair_analytics WHERE pair = 'BTCUSDT/ETHUSDT' "
        f"AND timeframe = '1s' AND window_bars = 60 AND time >= {kept.end - 299} ORDER BY time",
    )
    assert found.column("time") == stored.column("time")
    for name, wanted in (("raw_spread", "spread"), ("raw_mean", "spread_mean")):
        assert found.column(name) == pytest.approx(stored.column(wanted), rel=1e-9, abs=1e-6)
    less = [
        raw - mean
        for raw, mean in zip(found.column("raw_spread"), found.column("raw_mean"), strict=True)
    ]
    assert found.column("spread") == pytest.approx(less, abs=1e-6)


def test_hedge_ratios_of_three_kinds_are_drawn_where_they_are_kept(kept: FixtureLake) -> None:
    found = drawn(kept, BETA)
    for beta, kalman in zip(found.column("beta"), found.column("kalman_beta"), strict=True):
        assert kalman == pytest.approx(1.5 * beta)
    robust = dict(zip(found.column("time"), found.column("robust_beta"), strict=True))
    assert robust[kept.end - 201] is None, "nothing from after a bar is at it"
    assert robust[kept.end - 200] == robust[kept.end] == 20.5
    other = drawn(kept, BETA, symbol_a="SOLUSDT", symbol_b="BTCUSDT")
    assert set(other.column("kalman_beta")) == set(other.column("robust_beta")) == {None}
    beta = panel(BETA)
    shown = {one["matcher"]["options"] for one in beta["fieldConfig"]["overrides"]}
    assert {"beta", "kalman_beta", "robust_beta"} <= shown


def test_both_prices_from_100(fixture_lake: FixtureLake) -> None:
    found = drawn(fixture_lake, PRICES)
    for leg in "ab":
        prices, shares = found.column(f"price_{leg}"), found.column(f"from_100_{leg}")
        assert shares[0] == 100
        assert shares == pytest.approx([100 * price / prices[0] for price in prices])
    assert panel(20)["targets"][0]["panelId"] == PRICES


@pytest.mark.parametrize("number", [PRICES, CANDLES])
@pytest.mark.parametrize("name", ["window", "lookback", "threshold"])
def test_what_was_typed_wrong_leaves_no_chart_at_all(
    fixture_lake: FixtureLake, number: int, name: str
) -> None:
    assert drawn(fixture_lake, number).rows
    assert drawn(fixture_lake, number, **{name: "abc"}).rows == []


def test_prices_have_the_decimals_of_their_size(tmp_path: Path) -> None:
    lake = build_lake(tmp_path, END, seconds=400)
    with closing(sqlite3.connect(lake.lake.analytics_db)) as db, db:
        db.execute(
            "UPDATE bars SET close = close * 1e-6, low = low * 1e-6, high = high * 1e-6, "
            "open = open * 1e-6 WHERE symbol = 'SOLUSDT'"
        )
    row = drawn(lake, PRICES, symbol_b="SOLUSDT").row()
    assert (row["decimals_a"], row["decimals_b"]) == (1, 9)
    assert f"{row['price_b']:.9f}" != "0.000000000"
    assert panel(PRICES)["fieldConfig"]["defaults"]["unit"] == "locale", "thousands apart"
    steps = [one for one in panel(PRICES)["transformations"] if one["id"] == "configFromData"]
    assert [one["options"]["mappings"][0]["handlerKey"] for one in steps] == ["decimals"] * 2
    table = drawn(lake, ALIGNED, symbol_a="SOLUSDT", symbol_b="BTCUSDT")
    beta, spread, mean, std = (
        table.column(name) for name in ("beta", "spread", "spread_mean", "spread_std")
    )
    assert all(0 < abs(value) < 1e-6 and len(set(f"{value:.4e}"[:6])) > 2 for value in beta)
    for number in range(len(beta)):
        z = (spread[number] - mean[number]) / std[number]
        assert z == pytest.approx(table.column("zscore")[number], abs=1e-4), "enough for z"


def test_the_dot_under_the_mouse_lies_on_what_is_drawn_as_a_line() -> None:
    """It is on the nearest series, whatever that is: of bands and levels it is too small to see."""
    for board in ("spreadlake-pair", "spreadlake-backtest"):
        for one in dashboard(board)["panels"]:
            if one["type"] != "timeseries":
                continue
            for override in one["fieldConfig"]["overrides"]:
                style = {prop["id"]: prop["value"] for prop in override["properties"]}
                hidden = style.get("custom.hideFrom", {}).get("tooltip")
                if style.get("custom.lineWidth") == 0 or hidden:
                    assert style["custom.pointSize"] == 1, (one["title"], override["matcher"])
