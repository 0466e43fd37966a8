"""A live lake is backed up while it captures, rolls and compacts; restored, and goes on."""

import re
import signal
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from simulator import ExchangeHandle, SyntheticMarket, exchange_in_thread
from spreadlake.binance.streams import stream_name
from spreadlake.lake import Lake, open_reader, read_trades
from spreadlake.lake.backup.run import back_up
from spreadlake.lake.layout import DAY_MS
from spreadlake.lake.ticks.symbols import read_symbols
from tests.collector.compacting import by_others
from tests.collector.lakes import rows_of, wait_until
from tests.collector.live import SYMBOLS, has_ticks, open_gaps, settings_for, ticks
from tests.collector.processes import started
from tests.end_to_end.processes import spreadlake, start
from tests.end_to_end.test_verified_capture import dumps_of

# An hour passes in three seconds, and a day is over after one and a half.
SPEED, RATE = 1200.0, 0.02
BEGIN_MS = int(datetime(2026, 11, 20, 22, 30, tzinfo=UTC).timestamp() * 1000)
STREAMS = [stream_name(symbol, "aggTrade") for symbol in SYMBOLS]


def last_ids(lake: Lake) -> dict[str, int]:
    with closing(open_reader(lake.ticks_db)) as db:
        return {row.symbol: row.last_id for row in read_symbols(db) if row.last_id is not None}


def rolls(lake: Lake) -> int:
    """How many hours rolled, and were compacted."""
    (found,) = rows_of(lake, "SELECT total(rows > 0) + total(day_rows > 0) FROM rolls")
    return int(float(str(found[0])))


def compared(lake: Lake, exchange: ExchangeHandle) -> dict[str, int]:
    """How many trades are missing between a symbol's first and last, and how many are not real."""
    found = {"missing": 0, "wrong": 0}
    ours = read_trades(lake, BEGIN_MS - DAY_MS, BEGIN_MS + 30 * DAY_MS)
    for symbol, columns in exchange.truth(since_ms=BEGIN_MS - DAY_MS).items():
        held = ours.filter(pl.col("symbol") == symbol)
        real = pl.DataFrame(
            {"trade_id": columns.ids, "time_ms": columns.times_ms, "price": columns.prices}
        )
        within = pl.col("trade_id").is_between(held["trade_id"].min(), held["trade_id"].max())
        same = real.join(held, on=real.columns, how="semi").height
        found["missing"] += real.filter(within).height - same
        found["wrong"] += held.height - same
    return found


def backed_up(lake: Lake, to: Lake) -> str:
    told = spreadlake("backup", "--data", lake.root, "--to", to.root, cwd=lake.root.parent)
    assert told.returncode == 0, told.stderr
    return told.stdout


def test_a_live_lake_is_backed_up_restored_and_goes_on(tmp_path: Path) -> None:
    lake, to, restored = (Lake(tmp_path / name) for name in ("lake", "to", "restored"))
    market = SyntheticMarket(seed=3, symbols=SYMBOLS, rate=RATE)
    with exchange_in_thread(
        market, speed=SPEED, start_ms=BEGIN_MS, expected=STREAMS, hold=True
    ) as exchange:
        settings = settings_for(exchange, repair_hours=168)
        overrides = {
            "symbols": SYMBOLS,
            "exchange": settings.exchange.model_dump(include={"ws_url", "rest_url"}),
            "collector": settings.collector.model_dump(),
            "storage": {"roll_after_hours": 1},
        }
        with started(lake, overrides):
            wait_until(lambda: has_ticks(lake) and ticks(lake))
            seen, names = 0, set[str]()
            while not {"23.parquet", "day.parquet"} <= names:
                wait_until(lambda: rolls(lake) > seen)  # noqa: B023
                seen = rolls(lake)
                before = last_ids(lake)
                back_up(lake, to)
                held = last_ids(to)
                assert all(held[symbol] >= last for symbol, last in before.items())
                found = compared(to, exchange)
                assert (found["wrong"], bool(found["missing"] and not open_gaps(to))) == (0, False)
                names |= {path.name for path in to.ticks_dir.rglob("*.parquet")}
            half = start("backup", "--data", lake.root, "--to", to.root, cwd=tmp_path)
            half.send_signal(signal.SIGKILL)
            half.communicate()
            backed_up(lake, to)
        told = backed_up(to, restored)
        assert re.search(r"trades up to 2026-11-2\d", told)
        assert by_others(restored) == by_others(to)
        held = last_ids(restored)
        with started(restored, overrides):
            wait_until(lambda: all(last_ids(restored)[s] > held[s] + 5 for s in held))
            wait_until(lambda: not open_gaps(restored))
        assert compared(restored, exchange) == {"missing": 0, "wrong": 0}
        truth = exchange.truth(since_ms=BEGIN_MS)
        dumps = [path for name in truth for path in dumps_of(tmp_path, name, truth[name])]
    checked = spreadlake("verify", *dumps, "--captured", "--data", restored.root, cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout
