"""`spreadlake backtest --screen`: what it writes, and what it says of mistakes."""

import csv
import json
from pathlib import Path

import pytest

import spreadlake
from launcher.commands.backtest_output import csv_pieces
from spreadlake.research.backtests.screen import ScreenBacktest
from tests.research.bar_lake import make_bar_lake, walks
from tests.running import invoke

SYMBOLS = ["AUSDT", "BUSDT", "CUSDT", "DUSDT"]
SCREEN = ("backtest", "--screen", "--window", 20, "--lookback", 60, "--every", "20m")
COMMON = (*SCREEN, "--max-qvalue", 1, "--entry", 1.2, "--fee-bps", 1, "--max-positions", 2)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backtest_screen")
    make_bar_lake(folder / "data", walks(SYMBOLS, 400, seed=2))
    return folder


def in_python(root: Path) -> ScreenBacktest:
    return spreadlake.open(root / "data").backtest_screen(
        window=20, lookback=60, every="20m", max_qvalue=1, entry=1.2, fee_bps=1, max_positions=2
    )


def test_json_and_the_folder_hold_what_python_gives(root: Path) -> None:
    ended = invoke(*COMMON, "--format", "json", "-o", "out", cwd=root)
    assert ended.returncode == 0, ended.stderr
    assert "pairs.csv, screens.csv" in ended.stderr
    told, found = json.loads(ended.stdout), in_python(root)
    assert {name: told[name] for name in found.summary} == found.summary
    assert told["settings"] == found.settings
    assert told["settings"]["prices"] == "log"
    assert found.summary["trades"] > 5
    frames = {"trades": found.trades, "equity": found.equity} | found.tables
    for name, frame in frames.items():
        assert (root / "out" / f"{name}.csv").read_text() == "".join(csv_pieces(frame))
    rows = list(csv.DictReader((root / "out" / "pairs.csv").read_text().splitlines()))
    assert [row["pair"] for row in rows] == [row["pair"] for row in told["pairs"]]
    assert json.loads((root / "out" / "summary.json").read_text()) == told
    assert (root / "out" / "backtest.html").stat().st_size > 0


def test_text_says_what_was_chosen_and_earned(root: Path) -> None:
    ended = invoke(*COMMON, cwd=root)
    assert ended.returncode == 0, ended.stderr
    text, found = ended.stdout, in_python(root)
    assert "pairs of all symbols  1m bars, window 20, lookback 60, log prices" in text
    assert f"{len(found.screens)} screens, one every 20m, of 4 symbols and 6 pairs" in text
    assert "at most 2 positions" in text
    assert f"trades{found.summary['trades']:>22,}" in text
    assert found.pairs["pair"][0] in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_a_folder_of_another_back_test_is_replaced(root: Path) -> None:
    for args in (COMMON, ("backtest", "--pair", "AUSDT/BUSDT", "--window", 20, "--lookback", 60)):
        ended = invoke(*args, "-o", "again", cwd=root)
        assert ended.returncode == 0, ended.stderr
    assert not (root / "again" / "pairs.csv").exists()
    assert not (root / "again" / "screens.csv").exists()


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--top", 3), "--top is of screens: add --screen"),
        (("--max-notional", 3), "--max-notional is of screens: add --screen"),
        (("--screen", "--pair", "AUSDT/BUSDT"), "--pair is of one pair, and --screen of many"),
        (("--screen", "--grid", "entry=1,2"), "--grid is of one pair"),
        (("--screen", "--keep", "x"), "--keep is of one pair"),
        (("--screen", "--every", "soon"), "--every: timeframe 'soon'"),
        (("--screen", "--max-positions", 0), "max_positions 0 lets nothing in"),
        (("--screen", "--symbols", "AUSDT"), "a pair needs two symbols"),
        (("--screen", "--stop", 1), "stop 1 is not above entry 2"),
    ],
)
def test_mistakes_are_named(root: Path, args: tuple[object, ...], told: str) -> None:
    ended = invoke("backtest", *args, cwd=root)
    assert ended.returncode != 0
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr
