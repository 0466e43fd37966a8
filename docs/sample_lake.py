"""Makes the lake that `spreadlake.sample()` gives, and packs it: always the same, no trade is real.

python -m docs.sample_lake     writes spreadlake/research/sample.zip

A day of klines of the simulated market and the hour of trades after it. BTCUSDT and ETHUSDT follow
one path, and so do ADAUSDT and LINKUSDT another: what is between the two of each goes back to its
mean within minutes. Every other symbol also has a path of its own.
"""

import sqlite3
import sys
import tempfile
import zipfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from analytics_job.job import AnalyticsJob
from docs.sample import write_dump
from importer import import_dumps
from importer.klines import store_klines
from simulator import SyntheticMarket, TradeColumns
from simulator.synthetic.instruments import instrument
from simulator.synthetic.noise import brownian, key_of, reverting
from spreadlake.config import Settings
from spreadlake.funding import FundingRate
from spreadlake.lake import Lake, atomic, claim, open_ticks_writer
from spreadlake.lake.ticks.funding import save_funding
from spreadlake.schemas import KLINES_SCHEMA

SYMBOLS = (
    "BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT",
    "DOGEUSDT", "ADAUSDT", "LINKUSDT", "LTCUSDT",
)  # fmt: skip
SEED = 15
START_MS = 1_793_491_200_000  # 2026-11-01T00:00:00Z
TRADES_MS = START_MS + 24 * 3_600_000
END_MS = TRADES_MS + 3_600_000
RATE = 0.5  # trades a second of each symbol
PAIRED = {"ADAUSDT": "of ADA and LINK", "LINKUSDT": "of ADA and LINK"}
SPREADS = {"ETHUSDT": 0.0014, "LINKUSDT": 0.0012}
OWN = 1.3e-4  # per root second
PACKED = Path(__file__).parents[1] / "spreadlake" / "research" / "sample.zip"
SETTINGS: dict[str, Any] = {
    "symbols": list(SYMBOLS),
    "pairs": [["ETHUSDT", "BTCUSDT"]],
    "timeframes": ["1m"],
    "windows": [60],
    "lookbacks": [240],
    "prices": "log",
    "alerts": [
        {
            "name": "zscore",
            "timeframe": "1m",
            "window": 60,
            "threshold": 2.0,
            "close_below": 2.0,
            "min_seconds": 0,
            "quiet_seconds": 0,
        }
    ],
}


def trades_of(market: SyntheticMarket, symbol: str, start_ms: int, end_ms: int) -> TradeColumns:
    """Those of the market, on paths of their own."""
    trades = market.columns(symbol, start_ms, end_ms)
    seconds = trades.times_ms / 1000.0
    path = np.zeros(len(seconds))
    if symbol not in ("BTCUSDT", "ETHUSDT"):
        path += OWN * (brownian(key_of(SEED, PAIRED.get(symbol, symbol)), seconds, shortest=3))
    if symbol in SPREADS:
        path += SPREADS[symbol] * reverting(key_of(SEED, symbol, "spread"), seconds, longest=10)
    prices = np.round(trades.prices * np.exp(path), instrument(symbol).price_decimals)
    return replace(trades, prices=prices)


def klines_of(symbol: str, trades: TradeColumns) -> pl.DataFrame:
    """KLINES_SCHEMA; every minute has a trade."""
    frame = pl.DataFrame(
        {
            "time": trades.times_ms // 60_000 * 60,
            "price": trades.prices,
            "qty": trades.qtys,
            "taken": np.where(trades.buyer_is_maker, 0.0, trades.qtys),
        }
    )
    price, qty = pl.col("price"), pl.col("qty")
    bars = frame.group_by("time", maintain_order=True).agg(
        open=price.first(), high=price.max(), low=price.min(), close=price.last(),
        volume=qty.sum().round(8), quote_volume=(price * qty).sum().round(8),
        taker_buy_volume=pl.col("taken").sum().round(8), trades=pl.len(),
    )  # fmt: skip
    named = bars.with_columns(symbol=pl.lit(symbol), timeframe=pl.lit("1m"))
    return named.select(KLINES_SCHEMA.names()).cast(KLINES_SCHEMA)


def make_lake(folder: Path) -> Lake:
    """As the import of such dumps and the analytics job leave it."""
    market, lake = SyntheticMarket(SEED, SYMBOLS, RATE), Lake(folder / "lake")
    with closing(open_ticks_writer(lake)) as db:
        claim(db, lake, "aggTrade", "exchange")
        for symbol in SYMBOLS:
            store_klines(
                db, lake, klines_of(symbol, trades_of(market, symbol, START_MS, TRADES_MS))
            )
        rates = [
            FundingRate(one.symbol, one.time_ms, float(one.rate), float(one.mark_price))
            for symbol in SYMBOLS
            for one in market.funding(symbol, START_MS, END_MS)
        ]
        with atomic(db):
            save_funding(db, rates)
    for symbol in SYMBOLS:
        write_dump(folder, symbol, trades_of(market, symbol, TRADES_MS, END_MS))
    list(
        import_dumps(lake, sorted(folder.glob("*.zip")), lambda _dump, _doing: lambda _bytes: None)
    )
    job = AnalyticsJob(lake, Settings(**SETTINGS))
    job.step()
    job.finish_tests()
    job.close()
    return lake


def pack(lake: Lake, target: Path) -> None:
    """Its databases and Parquet files in one file: the same bytes for the same lake."""
    for path in (lake.ticks_db, lake.analytics_db):
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("DELETE FROM service_status")  # of whom made it, and when
            db.execute("PRAGMA journal_mode=DELETE")
            db.execute("VACUUM")
    files = [*sorted(lake.root.rglob("*.parquet")), lake.ticks_db, lake.analytics_db]
    with zipfile.ZipFile(target, "w") as packed:
        for path in files:
            entry = zipfile.ZipInfo(str(path.relative_to(lake.root)), (2026, 11, 2, 1, 0, 0))
            packed.writestr(entry, path.read_bytes(), zipfile.ZIP_LZMA)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        pack(make_lake(Path(made)), PACKED)
    sys.stdout.write(f"wrote {PACKED.name}: {PACKED.stat().st_size / 1e6:.2f} MB\n")
