"""`spreadlake.open`: a screen in Python is that of the command."""

import io
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

import spreadlake
from launcher.commands.app import app
from spreadlake.errors import InputError, LakeError
from spreadlake.lake import Lake, open_ticks_writer
from spreadlake.times import iso_utc
from tests.research.bar_lake import BEGIN, make_bar_lake, walks

NAMES = ["AUSDT", "BUSDT", "CUSDT", "DUSDT"]
CLOSES = walks(NAMES, 100)
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


def test_trades_that_are_not_analysed_yet_say_what_to_run(tmp_path: Path) -> None:
    open_ticks_writer(Lake(tmp_path)).close()
    opened = spreadlake.open(tmp_path)
    for ask in (opened.screen, partial(opened.backtest, "AUSDT", "BUSDT"), opened.bars):
        with pytest.raises(InputError, match="no bars yet; run spreadlake analyse --once on it"):
            ask()
