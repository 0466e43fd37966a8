"""Pictures of what a lake's back-test gave, in Python and by the command."""

from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

import spreadlake
from launcher.commands.app import app
from spreadlake.research.open_lake import OpenLake
from spreadlake.research.pictures import html
from spreadlake.research.pictures.tables import telling_columns
from tests.research.bar_lake import make_bar_lake, walks
from tests.research.pictures.made import made_run


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> OpenLake:
    root = tmp_path_factory.mktemp("lake")
    make_bar_lake(root, walks(["AAAUSDT", "BBBUSDT"], 900))
    return spreadlake.open(root)


def test_a_result_is_plotted(lake: OpenLake) -> None:
    result = lake.backtest("AAAUSDT", "BBBUSDT", lookback=60, fee_bps=0.5, stop=3, max_bars=40)
    drawn = {trace.name: trace for trace in result.plot().data}
    assert list(drawn["equity"].y) == result.equity["equity"].to_list()
    assert drawn["net"].y[-1] == pytest.approx(result.summary["net"])
    entries = [trace for trace in result.plot().data if str(trace.name).startswith("in, ")]
    assert sum(len(trace.x) for trace in entries) == len(result.trades) > 10
    assert {"enter ±2", "exit 0", "stop ±3"} <= set(drawn)
    assert result.plot().layout.title.text == "AAAUSDT/BBBUSDT · 1m"


def test_a_walk_forward_is_plotted_without_the_thresholds_that_varied(lake: OpenLake) -> None:
    result = lake.backtest(
        "AAAUSDT", "BBBUSDT", lookback=60, grid={"entry": [1.5, 2]}, train="3h", test="1h"
    )
    names = {trace.name for trace in result.plot().data}
    assert "exit 0" in names
    assert not [name for name in names if name and name.startswith("enter")]


def test_training_stands_beside_test_on_the_page(lake: OpenLake) -> None:
    asked: dict[str, list[int | float | str | None]] = {"entry": [1.5, 2.0], "window": [30, 60]}
    walked = lake.backtest("AAAUSDT", "BBBUSDT", lookback=60, grid=asked, train="3h", test="1h")
    page = html(walked.pictured())
    for name in ("train sharpe", "test sharpe", "train net", "test net", "folds", "share"):
        assert f'<th scope="col">{name}</th>' in page
    assert '<th scope="col">in sample</th><th scope="col">out of sample</th>' in page
    earned = walked.selection or {}
    sides = [earned[side]["net"] for side in ("in_sample", "out_of_sample")]
    assert f"<td>net</td><td>{sides[0]:,.4g}</td><td>{sides[1]:,.4g}</td>" in page
    best = lake.backtest("AAAUSDT", "BBBUSDT", lookback=60, grid=asked)
    assert "<td>expected maximum sharpe</td>" in html(best.pictured())
    columns = telling_columns(best.tables["grid"])
    assert {"rank", "entry", "window", "net", "sharpe"} <= set(columns)
    assert not {"lookback", "stop", "prices"} & set(columns), "the same in all sets"


def test_a_long_table_is_cut_and_says_so() -> None:
    frame = pl.DataFrame({"pair": [f"<{n}>" for n in range(30)], "net": [n / 7 for n in range(30)]})
    page = html(made_run(100, 0)._replace(tables={"pairs": frame}))
    assert "The first 25 of 30." in page
    assert "<td>&lt;24&gt;</td><td>3.429</td>" in page
    assert "&lt;25&gt;" not in page


def test_the_folder_of_the_command_has_the_pictures(lake: OpenLake, tmp_path: Path) -> None:
    root = lake._lake.root
    options = ["--pair", "AAAUSDT/BBBUSDT", "--data", str(root), "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(app, ["backtest", *options])
    assert done.exit_code == 0, done.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "trades.csv", "equity.csv", "summary.json", "backtest.html", "backtest.png",
    }  # fmt: skip
    page = (tmp_path / "out" / "backtest.html").read_text(encoding="utf-8")
    assert "<h1>AAAUSDT/BBBUSDT · 1m</h1>" in page
    trades = pl.read_csv(tmp_path / "out" / "trades.csv")
    assert f'<td class="value">{len(trades)}</td>' in page
    assert (tmp_path / "out" / "backtest.png").read_bytes().startswith(b"\x89PNG")


def test_why_there_is_no_trade_is_on_the_page(lake: OpenLake, tmp_path: Path) -> None:
    root = lake._lake.root
    options = ["--pair", "AAAUSDT/BBBUSDT", "--data", str(root), "-o", str(tmp_path)]
    CliRunner().invoke(app, ["backtest", *options, "--entry", "50"], catch_exceptions=False)
    page = (tmp_path / "backtest.html").read_text(encoding="utf-8")
    assert "There is no trade in this span." in page
    assert "no trade: |z| was" in page
