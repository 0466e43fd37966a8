"""`spreadlake backtest`: what it writes, and what it says of mistakes."""

import csv
import json
from pathlib import Path

import polars as pl
import pytest

import spreadlake
from launcher.commands.backtest_output import csv_pieces
from spreadlake.lake import Lake
from spreadlake.times import iso_utc
from tests.research.bar_lake import BEGIN, make_bar_lake, walks
from tests.running import invoke

SYMBOLS = ["AUSDT", "BUSDT"]
PAIR = ("--pair", "AUSDT/BUSDT")
COMMON = (*PAIR, "--window", 20, "--lookback", 40, "--entry", 1.5)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backtest")
    make_bar_lake(folder / "data", walks(SYMBOLS, 500, seed=2))
    return folder


def test_json_is_the_summary_with_its_settings(root: Path) -> None:
    ended = invoke("backtest", *COMMON, "--stop", 3, "--format", "json", cwd=root)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    found = spreadlake.open(root / "data").backtest(
        *SYMBOLS, window=20, lookback=40, entry=1.5, stop=3
    )
    settings, notes = told.pop("settings"), told.pop("notes")
    assert told == found.summary
    assert settings == found.settings
    assert notes == found.notes == []
    assert told["trades"] > 10


def test_the_folder_holds_the_frames(root: Path) -> None:
    ended = invoke("backtest", *COMMON, "-o", "out", cwd=root)
    assert ended.returncode == 0, ended.stderr
    assert "wrote trades.csv, equity.csv" in ended.stderr
    found = spreadlake.open(root / "data").backtest(*SYMBOLS, window=20, lookback=40, entry=1.5)
    for name, frame in (("trades", found.trades), ("equity", found.equity)):
        text = (root / "out" / f"{name}.csv").read_text()
        rows = list(csv.DictReader(text.splitlines()))
        assert list(rows[0]) == frame.columns
        for row, wanted in zip(rows, frame.rows(named=True), strict=True):
            for column, value in wanted.items():
                cell = row[column]
                if isinstance(value, float):
                    assert float(cell) == value  # to the last bit
                elif hasattr(value, "timestamp"):
                    assert cell == iso_utc(value.timestamp())
                else:
                    assert cell == ("" if value is None else str(value))
    summary = json.loads((root / "out" / "summary.json").read_text())
    assert {key: summary[key] for key in found.summary} == found.summary
    files = {path.name for path in (root / "out").iterdir()}
    assert files >= {"trades.csv", "equity.csv", "summary.json"}
    assert not [name for name in files if name.startswith(".")]


def test_what_else_a_folder_holds_stays(root: Path) -> None:
    own = root / "own"
    own.mkdir()
    (own / "pairs.csv").write_text("mine\n")
    for _ in range(2):  # the second finds tables of a back-test beside it
        ended = invoke("backtest", *COMMON, "-o", "own", cwd=root)
        assert ended.returncode == 0, ended.stderr
        assert (own / "pairs.csv").read_text() == "mine\n"


def test_again_into_the_same_folder_replaces_all(root: Path) -> None:
    for entry in (1.5, 50):
        ended = invoke("backtest", *COMMON[:-1], entry, "-o", "again", cwd=root)
        assert ended.returncode == 0, ended.stderr
    assert (root / "again" / "trades.csv").read_text().count("\n") == 1
    assert json.loads((root / "again" / "summary.json").read_text())["trades"] == 0


def test_what_is_killed_amid_writing_leaves_no_summary_of_before(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert invoke("backtest", *COMMON, "-o", "killed", cwd=root).returncode == 0
    before = (root / "killed" / "equity.csv").read_text()

    def fails(frame: pl.DataFrame) -> list[str]:
        if "equity" in frame.columns:
            raise OSError(28, "no space")
        return list(csv_pieces(frame))

    monkeypatch.setattr("launcher.commands.backtest_output.csv_pieces", fails)
    ended = invoke("backtest", *COMMON, "-o", "killed", cwd=root)
    assert ended.returncode == 1
    assert "the disk is full" in ended.stderr
    assert (root / "killed" / "equity.csv").read_text() == before
    assert not (root / "killed" / "summary.json").exists()


def test_where_nothing_can_draw_the_numbers_are_written_all_the_same(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(pictured: object) -> str:
        raise ModuleNotFoundError("No module named 'plotly'", name="plotly")

    (root / "plain").mkdir()
    (root / "plain" / "backtest.png").write_bytes(b"of before")
    monkeypatch.setattr("spreadlake.research.pictures.html", cannot)
    ended = invoke("backtest", *COMMON, "-o", "plain", cwd=root)
    assert ended.returncode == 0, ended.stderr
    assert "no pictures: plotly is not installed" in ended.stderr
    assert {path.name for path in (root / "plain").iterdir()} == {
        "trades.csv", "equity.csv", "summary.json",
    }  # fmt: skip


def test_text_reads_well_at_80_columns(root: Path) -> None:
    gates = ("--min-correlation", 0.1, "--max-adf-pvalue", 0.9, "--max-bars", 9, "--stop", 3)
    ended = invoke("backtest", *COMMON, *gates, cwd=root)
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == "AUSDT/BUSDT  1m bars, window 20, lookback 40, raw prices"
    assert lines[1] == f"{iso_utc(BEGIN)} to {iso_utc(BEGIN + 499 * 60)}"
    assert lines[2] == "500 bars, 481 with a z-score"
    assert lines[3] == "entry at |z| 1.5, exit at 0, stop at 3, after 9 bars"
    assert lines[4] == "entry only with correlation from 0.1 and ADF p-value up to 0.9"
    assert any(line.startswith("net  ") for line in lines)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*COMMON, "--entry", 50), "no trade: |z| was"),
        ((*PAIR, "--to", iso_utc(BEGIN + 300)), "no trade: none of 5 bars has a z-score"),
    ],
)
def test_why_nothing_was_traded(root: Path, arguments: tuple[object, ...], said: str) -> None:
    ended = invoke("backtest", *arguments, cwd=root)
    assert ended.returncode == 0
    assert said in ended.stdout
    told = invoke("backtest", *arguments, "--format", "json", cwd=root)
    assert json.loads(told.stdout)["trades"] == 0
    assert said in told.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name a pair with --pair"),
        (("--pair", "AUSDT"), "is not two symbols"),
        (("--pair", "AUSDT/busdt"), "must be in upper case: BUSDT"),
        (("--pair", "AUSDT/XUSDT"), "no bars of XUSDT; it has those of AUSDT, BUSDT"),
        ((*PAIR, "--entry", "0.5", "--exit", "1"), "exit 1 is not below entry 0.5"),
        ((*PAIR, "--stop", "2"), "stop 2 is not above entry 2"),
        ((*PAIR, "--stop", "nan"), "'nan' is not a number"),
        ((*PAIR, "--max-bars", "0"), "max_bars 0 is not a number of bars"),
        ((*PAIR, "--max-bars", "9" * 19), "is larger than any whole number that is asked for"),
        ((*PAIR, "--fee-bps", "-1"), "'-1' is not a number from 0 on"),
        ((*PAIR, "--notional", "-5"), "notional -5 is not above 0"),
        ((*PAIR, "--window", "1"), "1 is not a number of bars from 2"),
        ((*PAIR, "--prices", "logs"), "'logs' is not one of"),
        ((*PAIR, "--timeframe", "30s"), "bars of 30 s cannot be made"),
        ((*PAIR, "--from", "yesterday"), "time 'yesterday' is not understood"),
        ((*PAIR, "--from", "2031-01-01"), "no finished 1m bar of both AUSDT and BUSDT from 2031"),
        ((*PAIR, "--from", "2023-11-16", "--to", "2023-11-15"), "is not before to"),
        ((*PAIR, "--funding"), "no funding rates of AUSDT"),
        ((*PAIR, "-o", "no/where"), "there is no folder no; make it first"),
        ((*PAIR, "-o", "file"), "it is a file; name a folder"),
        ((*PAIR, "-o", "-"), "-o '-' is no folder: name one"),
        ((*PAIR, "-o", ""), "-o '' is no folder: name one"),
        ((*PAIR, "--data", "nowhere"), "nowhere"),
    ],
)
def test_mistakes_are_told(root: Path, arguments: tuple[str, ...], message: str) -> None:
    (root / "file").touch()
    ended = invoke("backtest", *arguments, cwd=root)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert message in " ".join(ended.stderr.split())
    assert "Traceback" not in ended.stderr


def test_a_lake_without_bars_says_what_to_run(tmp_path: Path) -> None:
    from spreadlake.lake import open_ticks_writer

    open_ticks_writer(Lake(tmp_path / "data")).close()
    ended = invoke("backtest", *PAIR, cwd=tmp_path)
    assert ended.returncode == 2
    assert "no bars yet; run spreadlake analyse --once" in ended.stderr
