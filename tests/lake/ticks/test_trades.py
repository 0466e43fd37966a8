"""Hot and cold trades read as one, each once."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spreadlake.errors import LakeError
from spreadlake.lake import (
    HOUR_MS,
    TRADES_SCHEMA,
    Lake,
    atomic,
    hour_of,
    iter_trades,
    open_reader,
    open_ticks_writer,
    read_trades,
)
from spreadlake.lake.parquet import write_durably
from spreadlake.lake.ticks.trades import TradeSpan, trades_span
from tests.trades import TICKS, Trade

START = 1_723_161_600_000  # 2024-08-09T00:00:00Z
SPAN = 3 * HOUR_MS


def trades(symbol: str, count: int = 12) -> list[Trade]:
    step = SPAN // count
    return [
        Trade(symbol, 100 + n, START + n * step, 10.0 + n, 1.0, bool(n % 2)) for n in range(count)
    ]


BTC, ETH = trades("BTCUSDT"), trades("ETHUSDT")


def make(root: Path, hot: Sequence[Trade], cold: Sequence[Trade]) -> Lake:
    lake = Lake(root)
    with closing(open_ticks_writer(lake)) as db, atomic(db):
        db.executemany(
            f"INSERT INTO {TICKS} VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(seq, *trade) for seq, trade in enumerate(hot, 1)],
        )
    hours: dict[tuple[str, int], list[Trade]] = {}
    for trade in cold:
        hours.setdefault((trade.symbol, hour_of(trade.time_ms)), []).append(trade)
    for (symbol, hour), rows in hours.items():
        frame = pl.DataFrame(rows, schema=TRADES_SCHEMA, orient="row")
        write_durably(frame, lake.tick_partition(symbol, hour))
    return lake


def rows_of(frame: pl.DataFrame) -> list[Trade]:
    return [Trade(*row) for row in frame.rows()]


def test_an_hour_in_sqlite_and_one_in_parquet_are_one(tmp_path: Path) -> None:
    lake = make(tmp_path, hot=BTC[4:] + ETH, cold=BTC[:4])
    frame = read_trades(lake, START, START + SPAN)
    assert frame.schema == TRADES_SCHEMA
    assert rows_of(frame) == BTC + ETH


def test_a_trade_that_is_on_its_way_is_there_once(tmp_path: Path) -> None:
    lake = make(tmp_path, hot=BTC[2:], cold=BTC[:6])
    assert rows_of(read_trades(lake, START, START + SPAN)) == BTC


def test_the_span_is_half_open_in_both_places(tmp_path: Path) -> None:
    lake = make(tmp_path, hot=ETH, cold=BTC)
    first, after = BTC[3].time_ms, BTC[7].time_ms
    assert rows_of(read_trades(lake, first, after)) == BTC[3:7] + ETH[3:7]
    assert rows_of(read_trades(lake, first, first)) == []


def test_only_the_named_symbols(tmp_path: Path) -> None:
    lake = make(tmp_path, hot=BTC[6:] + ETH[6:], cold=BTC[:6] + ETH[:6])
    assert rows_of(read_trades(lake, START, START + SPAN, ["ETHUSDT"])) == ETH
    assert rows_of(read_trades(lake, START, START + SPAN, ["SOLUSDT"])) == []
    assert rows_of(read_trades(lake, START, START + SPAN, [])) == []


def test_an_own_reader_can_be_handed_in(tmp_path: Path) -> None:
    lake = make(tmp_path, hot=BTC, cold=[])
    with closing(open_reader(lake.ticks_db)) as db:
        assert rows_of(read_trades(lake, START, START + SPAN, db=db)) == BTC
        assert db.execute("SELECT count(*) FROM ticks").fetchone() == (len(BTC),)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["hot", "cold", "both"]), min_size=24, max_size=24))
def test_wherever_each_trade_is_all_are_read_once(places: list[str]) -> None:
    everything = BTC + ETH
    where = list(zip(everything, places, strict=True))
    with TemporaryDirectory() as folder:
        lake = make(
            Path(folder),
            hot=[trade for trade, place in where if place != "cold"],
            cold=[trade for trade, place in where if place != "hot"],
        )
        assert rows_of(read_trades(lake, START, START + SPAN)) == everything


def test_an_hour_at_a_time_is_the_same(tmp_path: Path) -> None:
    lake = make(tmp_path, hot=BTC[6:] + ETH, cold=BTC[:6])
    start, end = START + 1, START + SPAN - HOUR_MS // 2
    pieces = list(iter_trades(lake, start, end))
    assert [hour_of(piece["time_ms"].min()) for piece in pieces] == [  # type: ignore[arg-type]
        START + n * HOUR_MS for n in range(3)
    ]
    whole = read_trades(lake, start, end)
    assert pl.concat(pieces).sort("symbol", "time_ms", "trade_id").equals(whole)


def test_hours_without_trades_are_left_out(tmp_path: Path) -> None:
    lake = make(tmp_path, hot=BTC[-1:], cold=BTC[:1])
    assert len(list(iter_trades(lake, START - 100 * HOUR_MS, START + SPAN))) == 2


def test_what_time_a_lake_covers(tmp_path: Path) -> None:
    assert trades_span(make(tmp_path / "empty", [], [])) is None
    hot = make(tmp_path / "hot", BTC[2:], [])
    assert trades_span(hot) == TradeSpan(BTC[2].time_ms, BTC[-1].time_ms, 10)
    both = make(tmp_path / "both", BTC[8:], BTC[:8])
    assert trades_span(both) == TradeSpan(START, BTC[-1].time_ms, 4)


def test_a_lake_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="no lake in"):
        read_trades(Lake(tmp_path), START, START + SPAN)
