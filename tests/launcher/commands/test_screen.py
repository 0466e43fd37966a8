"""`spreadlake screen`: what it prints and writes, and what it says of mistakes."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from statsmodels.tsa.stattools import coint

from spreadlake.quant.screen import SCREEN_SCHEMA
from tests.research.bar_lake import BEGIN, make_bar_lake, walks
from tests.running import invoke, run

NAMES = [f"{letter}USDT" for letter in "ABCDEFGH"]
CLOSES = walks(NAMES, 200, seed=6)
LATE = BEGIN + 200 * 60
USUAL = ["--lookback", 60, "--window", 30]
PAIRS = 28


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("screen")
    make_bar_lake(folder / "data", CLOSES)
    return folder


def test_csv_has_the_contracts_columns_and_statsmodels_numbers(folder: Path) -> None:
    ended = run("screen", *USUAL, "-o", "-", cwd=folder)
    assert ended.returncode == 0, ended.stderr
    rows = list(csv.DictReader(io.StringIO(ended.stdout)))
    assert list(rows[0]) == SCREEN_SCHEMA.names()
    assert len(rows) == PAIRS
    assert {row["time"] for row in rows} == {"2023-11-15T01:33:00Z"}
    for row in rows:
        a, b = (np.log(CLOSES[row[leg]][-60:]) for leg in ("symbol_a", "symbol_b"))
        ways = [coint(x, y, trend="c", autolag="aic")[:2] for x, y in ((a, b), (b, a))]
        assert float(row["coint_t"]) == pytest.approx(ways[0][0], rel=1e-6)
        assert float(row["coint_pvalue"]) == pytest.approx(ways[0][1], rel=1e-6)
        assert ways[0][1] <= ways[1][1]
        assert row["persistence"] == ""
    assert rows[0]["symbol_a"] + rows[0]["symbol_b"] in ("AUSDTBUSDT", "BUSDTAUSDT")
    assert ended.stderr.startswith("2023-11-15T01:34:00Z: 28 pairs of 8 symbols, ")


@pytest.mark.parametrize(
    ("arguments", "form"),
    [
        (["-o", "x.csv"], "csv"),
        (["-o", "x.json"], "json"),
        (["-o", "x.txt", "--format", "json"], "json"),
        (["--format", "csv"], "csv"),
        (["--format", "json", "-o", "-"], "json"),
        (["-o", "x.txt", "--format", "table"], "table"),
        ([], "table"),
    ],
)
def test_every_format_to_a_file_and_to_stdout(
    folder: Path, arguments: list[str], form: str
) -> None:
    ended = invoke("screen", *USUAL, *arguments, cwd=folder)
    assert ended.returncode == 0, ended.stderr
    name = next((a for a in arguments if a.startswith("x.")), None)
    text = (folder / name).read_text() if name else ended.stdout
    assert (ended.stdout == "") == (name is not None)
    if form == "json":
        rows = json.loads(text)
        assert list(rows[0]) == SCREEN_SCHEMA.names()
        assert [row["rank"] for row in rows] == list(range(1, PAIRS + 1))
        assert rows[0]["persistence"] is None
    elif form == "csv":
        assert text.count("\n") == PAIRS + 1
    else:
        assert "8 pairs more: --top N shows N, -o FILE writes all" in text
        assert text.count("USDT/") == 20
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("width", [80, 160])
def test_a_table_is_as_wide_as_the_terminal(folder: Path, width: int) -> None:
    ended = invoke("screen", *USUAL, cwd=folder, variables={"COLUMNS": str(width)})
    lines = ended.stdout.splitlines()
    assert max(map(len, lines)) <= width
    assert lines[0].split()[:5] == ["#", "pair", "p", "q", "z"]
    assert ("half-life" in lines[0], "vol A" in lines[0]) == (True, width == 160)
    assert "…" not in ended.stdout


def test_order_top_and_qvalue(folder: Path) -> None:
    ended = invoke(*("screen", *USUAL, "--order", "edge_bps", "--top", 5, "-o", "-"), cwd=folder)
    edges = [float(row["edge_bps"]) for row in csv.DictReader(io.StringIO(ended.stdout))]
    assert edges == sorted(edges, reverse=True)
    assert len(edges) == 5
    ended = invoke("screen", *USUAL, "--max-qvalue", 0.01, "--format", "json", cwd=folder)
    (row,) = json.loads(ended.stdout)
    assert {row["symbol_a"], row["symbol_b"]} == {"AUSDT", "BUSDT"}
    ended = invoke("screen", *USUAL, "--max-qvalue", 0.01, cwd=folder)
    assert "27 pairs more, or with q-values above 0.01" in ended.stdout


def test_costs_and_prices_are_those_asked_for(folder: Path) -> None:
    ended = invoke(
        *("screen", *USUAL, "--prices", "raw", "--fee-bps", 2, "--slippage-bps", 1),
        *("--symbols", "AUSDT,BUSDT", "--format", "json"),
        cwd=folder,
    )
    (row,) = json.loads(ended.stdout)
    a, b = (CLOSES[row[leg]][-1] for leg in ("symbol_a", "symbol_b"))
    assert row["cost_bps"] == pytest.approx(6 * (1 + abs(row["beta"]) * b / a))
    assert row["spread"] == pytest.approx(a - row["beta"] * b)


def test_a_range_is_one_file_with_each_screen_as_it_was_known(folder: Path) -> None:
    """Each is what --at gives; times without enough bars, and without a newer one, are told."""
    ended = invoke(
        *("screen", *USUAL, "--every", "1h", "--from", BEGIN + 1_800, "--to", LATE + 7_200),
        *("-o", "range.csv", "--top", 3),
        cwd=folder,
    )
    assert ended.returncode == 0, ended.stderr
    with (folder / "range.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    times = list(dict.fromkeys(row["time"] for row in rows))
    assert len(times) == 3
    assert len(rows) == 9
    said = ended.stderr.splitlines()
    assert "no symbol of 8 can be tested (AUSDT: 30 of 60 bars" in said[0]
    assert "there is no newer bar at" in said[-2]
    assert said[-1] == "wrote 9 rows of 3 screens to range.csv"
    alone = invoke(*("screen", *USUAL, "--at", BEGIN + 5_400, "-o", "-", "--top", 3), cwd=folder)
    assert list(csv.DictReader(io.StringIO(alone.stdout))) == rows[:3]


def test_a_range_as_tables(folder: Path) -> None:
    ended = invoke(
        *("screen", *USUAL, "--every", "30m", "--from", BEGIN + 7_200, "--to", BEGIN + 9_000),
        *("--top", 1),
        cwd=folder,
    )
    assert ended.returncode == 0
    assert ended.stdout.count("27 pairs more") == 2
    assert ended.stderr.count(": 28 pairs of 8 symbols") == 2


def test_an_old_screen_says_that_nothing_came_since(folder: Path) -> None:
    ended = invoke("screen", *USUAL, "--at", "2023-11-20", cwd=folder)
    begin = "2023-11-15T01:34:00Z (no bar from then to 2023-11-20T00:00:00Z): 28 pairs"
    assert ended.stderr.startswith(begin)


def test_symbols_that_are_left_out_are_told(folder: Path) -> None:
    closes = {name: close.copy() for name, close in CLOSES.items()}
    for name in NAMES[2:]:
        closes[name][:-10] = np.nan
    make_bar_lake(folder / "late", closes)
    ended = invoke("screen", *USUAL, "--data", "late", "-o", "-", cwd=folder)
    left = "left out: CUSDT, DUSDT, EUSDT, FUSDT, GUSDT and 1 more: 10 of 60 bars\n"
    assert left in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--symbols", "AUSDT"], "a pair needs two symbols"),
        (["--symbols", "AUSDT,ausdt"], "symbol 'ausdt' must be in upper case: AUSDT"),
        (["--symbols", "AUSDT,XUSDT"], "the lake has no bars of XUSDT; it has those of AUSDT, "),
        (["--lookback", "20"], "a lookback of 20 bars is too short"),
        (["--lookback", "300"], "AUSDT: 200 of 300 bars"),
        (["--timeframe", "30s"], "cannot be made of those that the lake has (1m)"),
        (["--timeframe", "one"], "timeframe 'one' is not a whole number of s, m or h"),
        (["--at", "2020-01-01"], "nothing was known at 2020-01-01T00:00:00Z"),
        (["--at", "2024-01-01T00:00"], "has no zone"),
        (["--order", "profit"], "--order profit: a screen is ordered by one of symbol_a, "),
        (["--top", "0"], "--top 0: ask for 1 pair or more"),
        (["--top", "x"], "'x' is not a whole number"),
        (["--fee-bps", "-1"], "'-1' is not a number from 0 on"),
        (["--max-qvalue", "nan"], "'nan' is not a number from 0 on"),
        (["--prices", "log10"], "is not one of 'raw', 'log'"),
        (["--from", "2024-01-01"], "--from and --to are of a range: add --every"),
        (["--every", "1h"], "--every needs the range's --from and --to"),
        (["--every", "1h", "--at", "2024-01-01"], "leave one of them out"),
        (["--every", "1d", "--from", "2024-01-01", "--to", "2024-01-02"], "--every: timeframe"),
        (["--every", "1h", "--from", "2024-01-02", "--to", "2024-01-01"], "is after --to"),
        (["--every", "1h", "--from", "2020-01-01", "--to", "2020-01-02"], "nothing to screen"),
        (["-o", "no/such/x.csv"], "there is no folder no/such"),
        (["-o", "."], "it is a folder; name a file in it"),
        (["--data", "nowhere"], "no lake in nowhere"),
    ],
)
def test_a_mistake_is_one_message(folder: Path, arguments: list[str], message: str) -> None:
    before = sorted(folder.iterdir())
    ended = invoke("screen", *arguments, cwd=folder)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert sorted(folder.iterdir()) == before


def test_nothing_to_screen_replaces_no_file(folder: Path) -> None:
    (folder / "kept.csv").write_text("kept")
    assert invoke("screen", "--lookback", 300, "-o", "kept.csv", cwd=folder).returncode == 2
    assert (folder / "kept.csv").read_text() == "kept"


def test_a_lake_without_bars_says_what_to_do(folder: Path) -> None:
    (folder / "raw").mkdir()
    (folder / "raw" / "ticks.db").touch()
    ended = invoke("screen", "--data", "raw", cwd=folder)
    assert ended.returncode == 2
    assert "has no bars yet; run spreadlake analyse --once on it" in ended.stderr
