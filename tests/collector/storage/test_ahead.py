"""Trades that are dated wrongly: refused where the frame shows it, stored and not followed else."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from collector.roll.finished import finished_before
from collector.storage.batch import Batch
from collector.storage.store import TickStore
from spreadlake.binance.decode import AggTrade, FrameDecoder
from spreadlake.lake import Lake, read_counters
from spreadlake.trades import FrameError
from tests.collector.lakes import quick_writer

NOW = 1_700_000_000_000
HOUR = 3_600_000
A, B = "BTCUSDT", "ETHUSDT"


def _frame(time_ms: int, event_ms: int | None, kind: str = "aggTrade") -> bytes:
    event = {"e": kind, "E": event_ms, "s": A, "a": 7, "t": 7, "p": "1", "q": "1", "T": time_ms}
    if event_ms is None:
        del event["E"]
    return json.dumps(event | {"m": True}).encode()


@pytest.mark.parametrize("kind", ["aggTrade", "trade"])
@pytest.mark.parametrize("ahead_ms", [5_001, 60_000, HOUR, 23 * HOUR, 48 * HOUR])
def test_a_trade_time_ahead_of_its_event_time_is_refused(kind: str, ahead_ms: int) -> None:
    with pytest.raises(FrameError, match="after its event time"):
        FrameDecoder(kind).decode(_frame(NOW + ahead_ms, NOW, kind))


@pytest.mark.parametrize("ahead_ms", [-23 * HOUR, -160, 0, 1_000, 5_000])
def test_other_distances_pass(ahead_ms: int) -> None:
    event = FrameDecoder("aggTrade").decode(_frame(NOW + ahead_ms, NOW))
    assert isinstance(event, AggTrade)
    assert isinstance(FrameDecoder("aggTrade").decode(_frame(NOW, None)), AggTrade)


def _trade(symbol: str, trade_id: int, time_ms: int) -> AggTrade:
    return AggTrade(symbol, trade_id, time_ms, 100.0 + trade_id, 1.0, True)


def _market(first_id: int, begin_ms: int, count: int = 10) -> list[AggTrade]:
    return [_trade(s, first_id + n, begin_ms + 100 * n) for n in range(count) for s in (A, B)]


def test_the_watermark_is_the_greatest_time_not_that_of_the_greatest_id(tmp_path: Path) -> None:
    with closing(quick_writer(Lake(tmp_path))) as db:
        store = TickStore(db, [A, B])
        store.write(Batch([_trade(A, 1, NOW + 500), _trade(A, 2, NOW + 100), _trade(B, 1, NOW)]))
        assert store.watermark_ms == store.last_time_ms(A) == NOW + 500
        store.write(Batch([_trade(B, 3, NOW + 200), _trade(B, 2, NOW + 900)]))
        assert store.watermark_ms == store.last_time_ms(B) == NOW + 900
        # A trade that fills a gap may be the newest by its time.
        store.write(Batch([_trade(A, 4, NOW + 950)]))
        store.write(Batch([_trade(A, 3, NOW + 990)], source="repair"))
        assert store.watermark_ms == store.last_time_ms(A) == NOW + 990
        again = TickStore(db, [A, B])
        assert (again.watermark_ms, again.last_time_ms(A)) == (NOW + 990, NOW + 990)
        assert db.execute("SELECT last_price FROM symbols ORDER BY symbol").fetchall() == [
            (104.0,),
            (103.0,),
        ]


@pytest.mark.parametrize("ahead_ms", [HOUR, 72 * HOUR, 9_000 * HOUR])
@pytest.mark.parametrize("first", [True, False])
def test_one_trade_moves_neither_the_watermark_nor_what_hangs_on_it(
    tmp_path: Path, ahead_ms: int, first: bool
) -> None:
    wrong = _trade(A, 11, NOW + ahead_ms)
    with closing(quick_writer(Lake(tmp_path))) as db:
        store = TickStore(db, [A, B])
        if not first:
            store.write(Batch(_market(1, NOW)))
        store.write(Batch([wrong]))
        store.write(Batch(_market(12, NOW + 1_000)))
        newest = NOW + 1_900
        assert store.watermark_ms == newest
        assert finished_before(store.watermark_ms, 0) == finished_before(newest, 0)
        assert store.last_time_ms(B) == newest
        assert read_counters(db)["ahead", A] == 1
        # It is stored, and what it was is no reason to go astray after a restart.
        assert db.execute("SELECT time_ms FROM ticks WHERE trade_id = 11").fetchone() == (
            NOW + ahead_ms,
        )
        assert TickStore(db, [A, B]).watermark_ms == newest


def test_a_lake_that_once_followed_one_comes_back_to_its_senses(tmp_path: Path) -> None:
    with closing(quick_writer(Lake(tmp_path))) as db:
        TickStore(db, [A, B]).write(Batch(_market(1, NOW)))
        db.execute("UPDATE symbols SET last_time_ms = ? WHERE symbol = ?", (NOW + 99 * HOUR, A))
        store = TickStore(db, [A, B])
        store.write(Batch(_market(11, NOW + 61_000)))
        assert store.watermark_ms == NOW + 61_900


def test_a_batch_that_cannot_be_stored_moves_nothing(tmp_path: Path) -> None:
    with closing(quick_writer(Lake(tmp_path))) as db:
        store = TickStore(db, [A, B])
        store.write(Batch(_market(1, NOW)))
        db.execute("PRAGMA query_only=ON")
        with pytest.raises(Exception, match="readonly"):
            store.write(Batch([*_market(11, NOW + 5_000), _trade(A, 21, NOW + HOUR)]))
        assert store.watermark_ms == store.last_time_ms(A) == NOW + 900
        db.execute("PRAGMA query_only=OFF")
        store.write(Batch(_market(11, NOW + 5_000)))
        assert store.watermark_ms == NOW + 5_900
