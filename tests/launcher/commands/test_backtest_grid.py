"""`spreadlake backtest --grid`, `--train` and `--test`: what they print and write."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

import spreadlake
from spreadlake.quant.backtest.tables import CHOSEN_SCHEMA, FOLDS_SCHEMA, GRID_SCHEMA
from tests.research.bar_lake import make_bar_lake, walks
from tests.running import invoke

USUAL: list[Any] = ["backtest", "--pair", "AAAUSDT/BBBUSDT", "--lookback", 60, "--fee-bps", 0.5]
# Several values of one option, of repeated ones, and in one text: each is understood.
GRID = ["--grid", "entry=1,1.5,2", "window=20,40", "stop=none,2", "exit=0,0.5"]
REPEATED = ["--grid", "entry=1,1.5,2", "--grid", "window=20,40", "--grid", "stop=none,2 exit=0,0.5"]
VALUES: dict[str, list[Any]] = {
    "entry": [1, 1.5, 2],
    "window": [20, 40],
    "stop": [None, 2],
    "exit": [0, 0.5],
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("grid") / "data"
    make_bar_lake(root, walks(["AAAUSDT", "BBBUSDT"], 900))
    return root


def _run(data: Path, *arguments: object) -> tuple[int, str, str]:
    ended = invoke(*arguments, "--data", data, cwd=data.parent)
    return ended.returncode, ended.stdout, ended.stderr


def _python(data: Path, **options: Any) -> Any:
    lake = spreadlake.open(data)
    usual: dict[str, Any] = {"lookback": 60, "fee_bps": 0.5, "grid": VALUES}
    return lake.backtest("AAAUSDT", "BBBUSDT", **(usual | options))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_all_sets_are_in_the_csv_and_the_best_are_shown(data: Path, tmp_path: Path) -> None:
    code, out, err = _run(data, *USUAL, *GRID, "-o", tmp_path / "out")
    assert code == 0, err
    rows, found = _rows(tmp_path / "out" / "grid.csv"), _python(data)
    assert list(rows[0]) == GRID_SCHEMA.names()
    assert len(rows) == 20
    for row, wanted in zip(rows, found.grid.iter_rows(named=True), strict=True):
        for name, value in wanted.items():
            assert row[name] == ("" if value is None else str(value)) or float(row[name]) == value
    assert len(_rows(tmp_path / "out" / "trades.csv")) == len(found.trades)
    assert "20 sets of entry × window × stop × exit" in " ".join(out.split())
    assert "Of 20 trials without any merit" in " ".join(out.split())
    assert f"{found.selection['deflated_sharpe']:.3f}" in out
    assert "The best set:" in out
    assert "4 sets left out: stop 2 is not above entry 2" in out
    assert "grid.csv" in err


def test_only_the_best_are_shown(data: Path) -> None:
    code, out, err = _run(data, *USUAL, "--grid", "max-bars=1,2,3,4,5,6,7", *GRID)
    assert code == 0, err
    assert "120 sets more: -o DIR writes all to grid.csv" in out
    assert sum(line.lstrip()[:2].strip().isdecimal() for line in out.splitlines()) >= 20


def test_json_has_all_of_it(data: Path) -> None:
    code, out, err = _run(data, *USUAL, *REPEATED, "--format", "json")
    assert code == 0, err
    told, found = json.loads(out), _python(data)
    assert told["selection"] == found.selection
    assert told["grid"] == found.grid.to_dicts()
    assert told["sharpe"] == found.summary["sharpe"] == told["grid"][0]["sharpe"]
    assert told["settings"]["entry"] == told["grid"][0]["entry"]
    assert "folds" not in told


def test_a_walk_forward(data: Path, tmp_path: Path) -> None:
    spans = ["--train", "6h", "--test", "2h"]
    code, out, err = _run(data, *USUAL, *GRID, *spans, "-o", tmp_path / "out")
    assert code == 0, err
    found = _python(data, train="6h", test="2h")
    folds, chosen = _rows(tmp_path / "out" / "folds.csv"), _rows(tmp_path / "out" / "chosen.csv")
    assert list(folds[0]) == FOLDS_SCHEMA.names()
    assert list(chosen[0]) == CHOSEN_SCHEMA.names()
    assert [float(row["train_net"]) for row in folds] == found.folds["train_net"].to_list()
    assert [int(row["folds"]) for row in chosen] == found.chosen["folds"].to_list()
    assert folds[0]["test_start"] == f"{found.folds['test_start'][0]:%Y-%m-%dT%H:%M:%SZ}"
    assert not (tmp_path / "out" / "grid.csv").exists()
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert summary["net"] == found.summary["net"]
    assert summary["selection"] == json.loads(json.dumps(found.selection))
    assert len(summary["folds"]) == 5
    for words in ("in sample", "out of sample", "of 5 folds", "All tests together:"):
        assert words in out


def test_tables_of_another_back_test_do_not_stay(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for more in ([*GRID, "--train", "6h", "--test", "2h"], []):
        code, _, err = _run(data, *USUAL, *more, "-o", out)
        assert code == 0, err
    assert {path.name for path in out.iterdir()} == {
        *("trades.csv", "equity.csv", "summary.json", "backtest.html", "backtest.png")
    }


def test_without_a_trade_it_is_said(data: Path) -> None:
    code, out, _ = _run(data, *USUAL, "--grid", "entry=50,60")
    assert code == 0
    assert "No set made a trade: there is nothing to choose from." in out
    assert "The best set" not in out
    spans = ["--train", 600, "--test", 100]
    code, out, _ = _run(data, *USUAL, "--grid", "entry=50,60", *spans)
    assert code == 0
    assert "in training of 3 folds no set made a trade" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--entry", "2", *GRID], "--entry and --grid entry=: leave one of them out"),
        (["--exit", "0", *GRID], "--exit and --grid exit=: leave one of them out"),
        (["--max-bars", "9", "--grid", "max_bars=1,2"], "--max-bars and --grid max_bars="),
        (["entry=1,2"], "entry=1,2 is no option: values of a parameter follow --grid"),
        (["--train", "1d", "--test", "1d"], "--train and --test choose among the sets of a grid"),
        ([*GRID, "--train", "1d"], "a walk-forward needs both spans"),
        ([*GRID, "--train", "1d", "--test", "1h"], "training takes 1,440 bars and there are 900"),
        ([*GRID, "--train", "soon", "--test", "1h"], "train: 'soon' is no span of time"),
        (["--grid", "entry"], "grid 'entry' is not KEY=V,V"),
        (["--grid", "fee_bps=1,2"], "grid fee_bps: it is no parameter; vary window, lookback"),
        (["--grid", "entry=1,x"], "grid entry=x is not a number"),
    ],
)
def test_what_cannot_be_done_is_said(data: Path, arguments: list[str], message: str) -> None:
    code, out, err = _run(data, *USUAL, *arguments)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())
