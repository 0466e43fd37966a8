"""Dump files as Binance publishes them, made small."""

import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.trades import Trade

TRADES_HEADER = (
    "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"
)
KLINES_HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
    "taker_buy_quote_volume,ignore"
)
MIDNIGHT = 1_723_075_200_000  # 2024-08-08T00:00:00Z
HOUR = 3_600_000
DAY = 24 * HOUR


def trades(
    symbol: str = "BTCUSDT",
    start_ms: int = MIDNIGHT,
    hours: int = 24,
    per_hour: int = 60,
    first_id: int = 2_000_000,
) -> list[Trade]:
    """Trades evenly over the hours, ids without a gap, prices with two decimals that move."""
    step = HOUR // per_hour
    return [
        Trade(
            symbol,
            first_id + n,
            start_ms + n * step + 7,
            round(60_000 + (n * 37 % 101) / 10 + n / 100, 2),
            round(0.001 * (1 + n % 9), 3),
            n % 3 == 0,
        )
        for n in range(hours * per_hour)
    ]


def trade_lines(
    rows: Sequence[Trade], header: bool = True, microseconds: bool = False
) -> list[str]:
    unit = 1000 if microseconds else 1
    lines = [TRADES_HEADER] if header else []
    return lines + [
        f"{t.trade_id},{t.price},{t.qty},{3 * t.trade_id},{3 * t.trade_id + 2},"
        f"{t.time_ms * unit},{str(t.buyer_is_maker).lower()}"
        for t in rows
    ]


def kline_lines(start_ms: int = MIDNIGHT, count: int = 1440, header: bool = True) -> list[str]:
    """1m klines; each closes where the next opens."""
    lines = [KLINES_HEADER] if header else []
    for n in range(count):
        time, price = start_ms + n * 60_000, 60_000 + n % 50
        lines.append(
            f"{time},{price}.0,{price + 2}.5,{price - 1}.5,{price + 1}.0,12.5,{time + 59_999},"
            f"750000.5,{90 + n % 7},6.25,375000.25,0"
        )
    return lines


def write_dump(folder: Path, name: str, lines: Sequence[str]) -> Path:
    """A zip that holds one CSV, or a plain CSV, by the end of the name."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n".join(lines) + "\n"
    path = folder / name
    if path.suffix == ".csv":
        path.write_text(text)
        return path
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(path.with_suffix(".csv").name, text)
    return path


def day_file(
    folder: Path, rows: Sequence[Trade], header: bool = True, microseconds: bool = False
) -> Path:
    """The daily zip of one symbol, named by its first trade."""
    day = datetime.fromtimestamp(rows[0].time_ms / 1000, UTC)
    name = f"{rows[0].symbol}-aggTrades-{day:%Y-%m-%d}.zip"
    return write_dump(folder, name, trade_lines(rows, header, microseconds))
