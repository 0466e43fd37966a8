"""What a month in the bucket costs: a bounded number of requests, whatever is done with it."""

from pathlib import Path

import pytest

import spreadlake
from spreadlake.lake import Lake, atomic, open_analytics_writer
from spreadlake.lake.analytics.archive import Piece, fetch_frame, write_piece
from spreadlake.lake.cold.address import ColdAddress
from spreadlake.research.open_lake import OpenLake
from spreadlake.series import BARS
from tests.cold_lakes import describe, finished_files, upload
from tests.metered import Way
from tests.research.bar_lake import make_bar_lake, walks

DAYS, SYMBOLS = 30, ("AUSDT", "BUSDT", "CUSDT")
MIDNIGHT = 1_700_006_400


def month(root: Path) -> Lake:
    """A month of minutes, each day of each symbol in a file of its own."""
    lake = make_bar_lake(root, walks(SYMBOLS, DAYS * 1440), start=MIDNIGHT)
    db = open_analytics_writer(lake)
    for symbol in SYMBOLS:
        for day in range(DAYS):
            piece = Piece.at(BARS, "1m", symbol, MIDNIGHT + day * 86_400)
            where = "symbol = ? AND timeframe = ? AND time >= ? AND time < ?"
            write_piece(
                fetch_frame(db, BARS, where, (symbol, "1m", piece.start, piece.end)), lake, piece
            )
    with atomic(db):
        db.execute("DELETE FROM bars")
        db.execute("INSERT INTO progress VALUES ('archived:1m', ?)", (piece.end,))
    db.close()
    return lake


def test_a_month_costs_a_few_requests_a_file_and_gives_the_same(
    tmp_path: Path, cold: ColdAddress, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lake = month(tmp_path / "lake")
    here = spreadlake.open(lake.root)

    def results(lake: OpenLake) -> tuple[object, ...]:
        test = lake.backtest("AUSDT", "BUSDT", "1m", window=60, lookback=300)
        return (
            test.trades.rows(), test.equity.rows(),
            lake.bars(timeframe="1h", wide="close").collect().rows(),
            lake.screen("1m", lookback=240, window=60).rows(),
        )  # fmt: skip

    before = results(here)
    size = sum(path.stat().st_size for path in finished_files(lake))
    upload(lake, cold)
    describe(lake, cold)
    way.forget()
    there = spreadlake.open(cold.text)
    assert len(way.requests) <= 4  # the catalogue
    way.forget()
    assert results(there) == before
    # Of the back-test two symbols, of the bars three, of the screen the last day.
    assert len(way.requests) <= 5 * (2 * DAYS + 3 * DAYS + 2 * 3)
    assert way.bytes <= 2 * 2 * size
