"""Makes what the cookbook works on: half an hour of a simulated market, always the same.

python docs/sample.py [FOLDER]     (./sample unless named)

It writes dump files as Binance publishes them, a recording of the minutes after, and the
configuration; nothing in it is a real trade.
"""

import gzip
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

from simulator import SyntheticMarket
from simulator.source import Play, TradeColumns

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "DOGEUSDT")
MIDNIGHT_MS = 1_723_161_600_000  # 2024-08-09T00:00:00Z
MINUTE_MS = 60_000
DUMPED = ((-15, 0), (0, 15))  # minutes around midnight, a file a day
RECORDED = (15, 20)

CONFIGURATION = """\
symbols = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "DOGEUSDT"]
windows = [60]
[job]
tests_interval = 3600
"""
HEADER = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n"


def make_sample(folder: Path) -> None:
    """Writes `spreadlake.toml`, `dumps/*.zip` and `later.jsonl.gz` into `folder`."""
    market = SyntheticMarket(seed=9, symbols=SYMBOLS, rate=3)
    dumps = folder / "dumps"
    dumps.mkdir(parents=True, exist_ok=True)
    (folder / "spreadlake.toml").write_text(CONFIGURATION)
    for span in DUMPED:
        for symbol in SYMBOLS:
            write_dump(dumps, symbol, market.columns(symbol, *_times(span)))
    _write_recording(market, *_times(RECORDED), folder / "later.jsonl.gz")


def _times(minutes: tuple[int, int]) -> tuple[int, int]:
    start, end = (MIDNIGHT_MS + minute * MINUTE_MS for minute in minutes)
    return start, end


def write_dump(folder: Path, symbol: str, trades: TradeColumns) -> None:
    """Writes the trades of one day as a file like Binance's, `BTCUSDT-aggTrades-2024-08-08.zip`."""
    columns = (trades.ids, trades.prices, trades.qtys, trades.times_ms, trades.buyer_is_maker)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    text = HEADER + "".join(
        f"{n},{price},{qty},{3 * n},{3 * n + 2},{time_ms},{str(maker).lower()}\n"
        for n, price, qty, time_ms, maker in rows
    )
    day = datetime.fromtimestamp(int(trades.times_ms[0]) / 1000, UTC)
    name = f"{symbol}-aggTrades-{day:%Y-%m-%d}"
    with zipfile.ZipFile(folder / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}.csv", text)


def _write_recording(market: SyntheticMarket, start_ms: int, end_ms: int, path: Path) -> None:
    streams = [f"{symbol.lower()}@aggTrade" for symbol in SYMBOLS]
    batches = market.play(Play(start_ms, end_ms, window_ms=100, streams=lambda: streams))
    with gzip.open(path, "wb") as file:
        for batch in batches:
            for frame in batch.frames:
                file.write(b"%d %b\n" % (batch.clock_ms * 1_000_000, frame.payload))


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "sample")
    make_sample(target)
    sys.stdout.write(f"made {target}: dumps, later.jsonl.gz and spreadlake.toml\n")
