"""Trades from the simulated exchange into a real lake."""

import sqlite3
from pathlib import Path

from collector.service import run
from spreadlake.config import load_settings
from spreadlake.lake import Lake
from spreadlake.service import ServiceContext
from spreadlake.simulator import SyntheticMarket, exchange_in_thread

SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT"]


def test_stores_every_trade_with_rising_seq(tmp_path: Path) -> None:
    with exchange_in_thread(SyntheticMarket(seed=1, symbols=SYMBOLS, rate=100)) as exchange:
        settings = load_settings(
            None,
            symbols=SYMBOLS,
            exchange={"ws_url": exchange.ws_url, "rest_url": exchange.rest_url},
            collector={"warm_start_minutes": 0},
        )
        run(ServiceContext(settings, Lake(tmp_path), duration=2))
        truth = exchange.truth()
    db = sqlite3.connect(tmp_path / "ticks.db")
    for symbol in SYMBOLS:
        rows = db.execute(
            "SELECT trade_id, time_ms, price, qty, buyer_is_maker FROM ticks WHERE symbol = ? "
            "ORDER BY trade_id",
            (symbol,),
        ).fetchall()
        assert len(rows) > 50
        columns = truth[symbol]
        start = int(columns.ids.searchsorted(rows[0][0]))
        part = slice(start, start + len(rows))
        expected = zip(
            columns.ids[part].tolist(),
            columns.times_ms[part].tolist(),
            columns.prices[part].tolist(),
            columns.qtys[part].tolist(),
            columns.buyer_is_maker[part].tolist(),
            strict=True,
        )
        assert rows == list(expected)
    total, greatest = db.execute("SELECT count(*), max(seq) FROM ticks").fetchone()
    assert total == greatest
    db.close()
