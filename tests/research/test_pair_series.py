"""Rows computed on demand are those that the job would have stored, to the last bit."""

import csv
from pathlib import Path
from typing import Any

import pytest

from analytics_job.job import AnalyticsJob
from tests.analytics_job import harness
from tests.analytics_job.markets import EPOCH, walk
from tests.running import invoke

SYMBOLS = ["AUSDT", "BUSDT", "CUSDT"]
BEGIN = EPOCH + 65 * 60 + 17  # within a minute, and within an hour
TRADES = walk(SYMBOLS, 4200, seed=5, per_second=0.3, start=BEGIN)
KLINES = [
    (symbol, "1m", time, price, price + 1, price - 1, price + 0.5, 10.0, 1000.0, 4.0, 7)
    for number, symbol in enumerate(SYMBOLS)
    for time in range(EPOCH + 120, BEGIN, 60)
    for price in [100.0 * (number + 1) + (time // 60 * 7919 * (number + 1) % 101) / 50]
]
USUAL: dict[str, Any] = {"symbols": SYMBOLS, "max_stale_bars": 8, "alerts": [], "lookbacks": [40]}
FEW = harness.settings(**USUAL, pairs=[["AUSDT", "BUSDT"]], timeframes=["1s", "1m"], windows=[20])
MANY = harness.settings(
    **USUAL, pairs=[["CUSDT", "AUSDT"]], timeframes=["1s", "7s", "1m", "2m", "5m"], windows=[6, 13]
)


def _lake(root: Path, config: Any, klines: bool) -> harness.TestLake:
    lake = harness.TestLake(root)
    job = AnalyticsJob(lake.lake, config)
    if klines:
        lake.store_klines(KLINES)
    lake.store(TRADES)
    job.step()
    job.close()
    return lake


@pytest.fixture(scope="module", params=[False, True], ids=["trades", "klines-first"])
def folder(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Two lakes of the same market: `few` computes nothing of what `many` stores."""
    folder = tmp_path_factory.mktemp("series")
    _lake(folder / "few", FEW, request.param).close()
    _lake(folder / "many", MANY, request.param).close()
    return folder


def _rows(folder: Path, lake: str, *arguments: object) -> list[dict[str, str]]:
    ended = invoke(
        *("csv", "--data", lake, "--pair", "CUSDT/AUSDT", "--lookback", 40, "-o", f"{lake}.csv"),
        *arguments,
        cwd=folder,
    )
    assert ended.returncode == 0, ended.stderr
    with (folder / f"{lake}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("window", [6, 13])
@pytest.mark.parametrize("timeframe", ["1s", "7s", "1m", "2m", "5m"])
def test_any_series_has_the_numbers_that_the_job_stores(
    folder: Path, timeframe: str, window: int
) -> None:
    series = ("--timeframe", timeframe, "--window", window)
    stored, computed = _rows(folder, "many", *series), _rows(folder, "few", *series)
    assert stored
    assert list(stored[0]) == list(computed[0])
    assert [row["time"] for row in stored] == [row["time"] for row in computed]
    for one, other in zip(stored, computed, strict=True):
        for column, cell in one.items():
            if column.startswith("volume") and cell:  # sums of sums, in another order
                assert float(other[column]) == pytest.approx(float(cell), rel=1e-12)
            else:
                assert other[column] == cell, column


def test_pieces_join_without_a_seam(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    series = ("--timeframe", "1s", "--window", 13)
    whole = _rows(folder, "few", *series)
    monkeypatch.setattr("spreadlake.research.pair_series._PIECE", 50)
    assert _rows(folder, "few", *series) == whole


def test_a_part_by_time_has_the_numbers_of_the_whole(folder: Path) -> None:
    series = ("--timeframe", "1s", "--window", 13, "--epoch")
    whole = _rows(folder, "few", *series)
    part = _rows(folder, "few", *series, "--from", BEGIN + 700.5, "--to", BEGIN + 900)
    assert part == [r for r in whole if BEGIN + 700.5 <= int(r["time"]) <= BEGIN + 900]
    assert len(part) == 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pair", "AUSDT/XUSDT"], "no bars of XUSDT; it has those of AUSDT, BUSDT, CUSDT"),
        (["--pair", "CUSDT/BUSDT", "--window", "5000"], "and a row needs 5000 of them"),
    ],
)
def test_what_cannot_be_computed_is_told(folder: Path, arguments: list[str], message: str) -> None:
    ended = invoke("csv", "--data", "few", *arguments, "-o", "-", cwd=folder)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert message in ended.stderr
