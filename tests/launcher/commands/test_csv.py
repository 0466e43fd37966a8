"""`spreadlake csv`: header, values, times, choices, files."""

import csv
import os
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from launcher.commands.series import available_series, choose_series, column_names, iter_rows
from spreadlake.errors import InputError
from spreadlake.lake import Lake
from spreadlake.series import SeriesKey
from tests.fixture_lake import BTC_ETH, ETH_SOL, LAST_TIME, READY, START, make_lake, make_ticks
from tests.patience import PATIENCE
from tests.running import COMMAND, environment, invoke, run

FILE = "BTCUSDT_ETHUSDT_1s_60_300.csv"
PAIR = ["--pair", BTC_ETH]
USUAL = [*PAIR, "--timeframe", "1s", "--window", 60, "--data", "lake"]


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("csv")
    make_lake(folder / "lake")
    return folder


def test_the_file_is_named_by_symbols_and_timeframe(folder: Path) -> None:
    ended = invoke("csv", *USUAL, cwd=folder)
    assert (ended.returncode, ended.stdout) == (0, "")
    series = "BTCUSDT/ETHUSDT 1s, window 60, lookback 300"
    assert ended.stderr == f"wrote 100 rows of {series}, raw prices, to {FILE}\n"
    rows = read(folder / FILE)
    assert len(rows) == 100
    assert list(rows[0])[:6] == ["time", "price_a", "price_b", "spread", "zscore", "close_time"]
    assert rows[0]["time"] == "2024-08-09T00:00:00Z"
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
    again = invoke("csv", *USUAL, cwd=folder)
    assert again.stderr.endswith(f"to {FILE}, in place of what was there\n")


@pytest.mark.parametrize("output", [(), ("-o", "-")])
def test_a_time_without_rows_is_an_error_and_replaces_nothing(
    folder: Path, output: tuple[str, ...]
) -> None:
    (folder / FILE).write_text("what was there")
    ended = invoke("csv", *USUAL, "--from", "2027-01-01", *output, cwd=folder)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "BTCUSDT/ETHUSDT 1s, window 60, lookback 300 has no rows in that time" in ended.stderr
    assert (folder / FILE).read_text() == "what was there"
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_a_row_is_known_at_the_end_of_its_bar(folder: Path) -> None:
    for timeframe, seconds in (("1s", 1), ("1m", 60)):
        series = [*PAIR, "--timeframe", timeframe, "--window", 60, "--data", "lake"]
        assert invoke("csv", *series, "--epoch", "-o", "known.csv", cwd=folder).returncode == 0
        rows = read(folder / "known.csv")
        assert {int(row["close_time"]) - int(row["time"]) for row in rows} == {seconds}
    assert invoke("csv", *USUAL, "-o", "known.csv", cwd=folder).returncode == 0
    assert read(folder / "known.csv")[0]["close_time"] == "2024-08-09T00:00:01Z"


def test_every_value_reads_back_to_the_same_bits(folder: Path) -> None:
    assert invoke("csv", *USUAL, "-o", "all.csv", "--epoch", cwd=folder).returncode == 0
    rows = [without(row, "close_time", "prices") for row in read(folder / "all.csv")]
    db = sqlite3.connect(folder / "lake" / "analytics.db")
    stored = db.execute(
        f"SELECT {', '.join(rows[0])} FROM pair_analytics WHERE pair = ? AND timeframe = ? "
        "AND window_bars = ? AND lookback_bars = ? ORDER BY time",
        READY,
    ).fetchall()
    db.close()
    assert [tuple(number(cell) for cell in row.values()) for row in rows] == stored


def without(row: dict[str, str], *columns: str) -> dict[str, str]:
    return {name: cell for name, cell in row.items() if name not in columns}


def number(cell: str) -> float | None:
    return float(cell) if cell else None


def test_all_other_analytics_follow_in_the_table_s_order(folder: Path) -> None:
    columns = column_names(Lake(folder / "lake"))
    assert columns[:5] == ["time", "price_a", "price_b", "spread", "zscore"]
    assert columns[5:11] == [
        "alpha", "beta", "spread_mean", "spread_std", "correlation", "return_correlation",
    ]  # fmt: skip
    assert not {"pair", "symbol_a", "window_bars"} & set(columns)
    assert len(columns) == len(set(columns))


def test_the_standard_output_takes_it_too(folder: Path) -> None:
    ended = run("csv", *USUAL, "-o", "-", cwd=folder)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(ended.stdout.splitlines()) == 101


def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    make_lake(tmp_path / "lake")
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [*COMMAND, "csv", *map(str, USUAL), "-o", "-"],
        cwd=tmp_path,
        env=environment(),
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=PATIENCE,
        check=False,
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("times", "first", "count"),
    [
        (["--from", "2024-08-09T00:00:10Z"], 10, 90),
        (["--from", "2024-08-09T00:00:09.5Z"], 10, 90),
        (["--to", "2024-08-09T02:00:10+02:00"], 0, 11),
        (["--to", str(START + 10)], 0, 11),
        (["--from", str((START + 5) * 1000), "--to", str((START + 6) * 1000)], 5, 2),
    ],
)
def test_a_part_by_time(folder: Path, times: list[str], first: int, count: int) -> None:
    ended = invoke("csv", *USUAL, *times, "--epoch", "-o", "-", cwd=folder)
    header, *lines = ended.stdout.splitlines()
    assert header.startswith("time,")
    assert [int(line.split(",")[0]) for line in lines] == [START + first + i for i in range(count)]


def test_what_is_null_is_an_empty_cell(folder: Path) -> None:
    flat = [*PAIR, "--timeframe", "1m", "--data", "lake", "-o", "flat.csv"]
    assert invoke("csv", *flat, cwd=folder).returncode == 0
    assert {row["zscore"] for row in read(folder / "flat.csv")} == {""}
    assert {row["beta"] for row in read(folder / "flat.csv")} == {"23.07"}


def test_a_folder_takes_the_file(folder: Path) -> None:
    (folder / "out").mkdir()
    assert invoke("csv", *USUAL, "-o", "out", cwd=folder).returncode == 0
    assert (folder / "out" / FILE).is_file()


def test_a_device_is_written_and_not_replaced(folder: Path) -> None:
    ended = run("csv", *USUAL, "-o", "/dev/stdout", cwd=folder)
    assert ended.returncode == 0
    assert len(ended.stdout.splitlines()) == 101


def test_pieces_join_without_a_seam(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(folder / "lake")
    whole = [
        row for piece in iter_rows(lake, SeriesKey(*READY), ["time"], None, None) for row in piece
    ]
    monkeypatch.setattr("launcher.commands.series._PIECE", 7)
    pieces = list(iter_rows(lake, SeriesKey(*READY), ["time"], None, None))
    assert [row for piece in pieces for row in piece] == whole
    assert [len(piece) for piece in pieces] == [7] * 14 + [2]
    assert whole[-1] == (LAST_TIME, "raw")


def test_series_with_rows_or_a_status_are_available(folder: Path) -> None:
    available = available_series(Lake(folder / "lake"))
    assert SeriesKey(*READY) in available
    assert SeriesKey(ETH_SOL, "1s", 60, 300) in available
    assert len(available) == len(set(available)) == 5


KEYS = [
    SeriesKey("A/B", timeframe, window, lookback)
    for timeframe in ("1s", "1m")
    for window in (30, 60)
    for lookback in (300, 600)
]


def test_the_usual_choice_is_made() -> None:
    assert choose_series(KEYS) == ("A/B", "1s", 60, 300)
    assert choose_series(KEYS, lookback=600) == ("A/B", "1s", 60, 600)
    assert choose_series([SeriesKey("A/B", "5m", 10, 20)]) == ("A/B", "5m", 10, 20)


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ({"pair": "B/A"}, ("B/A", "1s", 60, 300)),
        ({"timeframe": "5m"}, ("A/B", "5m", 60, 300)),
        ({"window": 61}, ("A/B", "1s", 61, 300)),
        ({"lookback": 7, "window": 2}, ("A/B", "1s", 2, 7)),
    ],
)
def test_what_is_named_need_not_be_stored(
    wanted: dict[str, Any], chosen: tuple[str, str, int, int]
) -> None:
    assert choose_series(KEYS, **wanted) == chosen
    assert choose_series([], **({"pair": "A/B"} | wanted)) == chosen


@pytest.mark.parametrize(
    ("keys", "field"),
    [
        ([SeriesKey("A/B", "1s", 60, 300), SeriesKey("A/C", "1s", 60, 300)], "pair"),
        ([SeriesKey("A/B", "5s", 60, 300), SeriesKey("A/B", "5m", 60, 300)], "timeframe"),
        ([SeriesKey("A/B", "1s", 10, 300), SeriesKey("A/B", "1s", 20, 300)], "window"),
        ([SeriesKey("A/B", "1s", 60, 100), SeriesKey("A/B", "1s", 60, 200)], "lookback"),
    ],
)
def test_an_open_choice_is_refused(keys: list[SeriesKey], field: str) -> None:
    names = ", ".join(str(getattr(key, field)) for key in keys)
    with pytest.raises(InputError) as caught:
        choose_series(keys)
    assert str(caught.value) == f"name a {field} with --{field}: there is {names}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pair", "BTCUSDT-ETHUSDT"], "pair 'BTCUSDT-ETHUSDT' is not two symbols with a / "),
        (["--pair", "btcusdt/ETHUSDT"], "must be in upper case: BTCUSDT"),
        ([], "name a pair with --pair: there is BTCUSDT/ETHUSDT, ETHUSDT/SOLUSDT"),
        ([*PAIR, "--from", "2024-08-09T00:00:00"], "has no zone; add Z for UTC"),
        ([*PAIR, "--to", "yesterday"], "time 'yesterday' is not understood"),
        ([*PAIR, "--from", "2024-08-10", "--to", "2024-08-09"], "--from 2024-08-10 is after --to"),
        (["--pair", "BTCUSDT/XUSDT"], "the lake has no bars of BTCUSDT; it has those of none"),
        ([*PAIR, "--timeframe", "7"], "timeframe '7' is not a whole number of s, m or h"),
        ([*PAIR, "-o", "none/x.csv"], "cannot write none/x.csv: there is no folder none"),
        ([*PAIR, "--data", "elsewhere"], "no lake in elsewhere: choose its folder with --data"),
    ],
)
def test_a_mistake_is_one_message(folder: Path, arguments: list[str], message: str) -> None:
    ended = invoke("csv", "--data", "lake", *arguments, cwd=folder)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith("spreadlake: error: ")
    assert message in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("bars", ["1", "0", "100001", "many"])
def test_a_window_is_a_number_of_bars(folder: Path, bars: str) -> None:
    ended = invoke("csv", "--data", "lake", *PAIR, "--window", bars, cwd=folder)
    assert ended.returncode == 2
    assert "Invalid value for '--window'" in ended.stderr
    assert bars in ended.stderr


def test_a_lake_without_analytics_says_what_to_run(tmp_path: Path) -> None:
    make_ticks(tmp_path / "lake")
    ended = invoke("csv", *USUAL, cwd=tmp_path)
    assert ended.returncode == 2
    assert "no analytics yet; run spreadlake analyse --once" in ended.stderr


def test_a_full_disk_leaves_no_file(folder: Path) -> None:
    ended = invoke("csv", *USUAL, "-o", "/dev/full", cwd=folder)
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "spreadlake: error: the disk is full; free some room and start again"
    ]
