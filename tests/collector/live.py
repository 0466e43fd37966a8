"""Runs the real collector against the simulated exchange, in one event loop."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import polars as pl
import pytest

from collector.network.access import Access
from collector.service import serve
from collector.timing import Timing
from simulator import (
    ExchangeHandle,
    Faults,
    SimulatedExchange,
    SyntheticMarket,
    Tamper,
    When,
    random_faults,
)
from spreadlake import binance
from spreadlake.config import Settings, load_settings
from spreadlake.lake import Lake, read_trades
from spreadlake.service import ServiceContext
from tests.collector.lakes import rows_of
from tests.patience import PATIENCE, Deadline, doings

T = TypeVar("T")
SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
# Short is what passes in any case; long is what a slow machine must not run into.
FAST = Timing(
    backoff_first=0.05,
    backoff_cap=0.4,
    steady=0.5,
    open_timeout=30.0,
    stagger=0.1,
    ping_interval=30.0,
    close_timeout=0.2,
    overlap=0.3,
    disorder=0.2,
    repair_interval=0.05,
    ask_again=0.1,
    copy_late=5.0,
    outrun=0.5,
    first_live=30.0,
    funding_interval=0.05,
    listing_waiting=0.1,
    listing_waiting_cap=0.2,
    listing_unanswered=0.05,
    silence_interval=0.1,
    reload_interval=0.05,
    roll_interval=0.1,
    status_interval=0.2,
    last_flush=30.0,
    write_retry_cap=0.2,
)


def market(rate: float = 60.0, seed: int = 1) -> SyntheticMarket:
    return SyntheticMarket(seed=seed, symbols=SYMBOLS, rate=rate)


def way(url: str, setting: str = "exchange.rest_url") -> Access:
    """Straight to the exchange, without a proxy and TLS."""
    return Access(url, setting, binance)


def settings_for(exchange: Any, **collector: Any) -> Settings:
    """One connection, no warm start, no funding, REST as free as may be, unless told otherwise."""
    return load_settings(
        None,
        symbols=SYMBOLS,
        exchange={"ws_url": exchange.ws_url, "rest_url": exchange.rest_url},
        collector={
            "connections_per_symbol": 1,
            "warm_start_minutes": 0,
            "funding": False,
            "request_weight": 2400,
            **collector,
        },
    )


@asynccontextmanager
async def collecting(
    lake: Lake, settings: Settings, timing: Timing = FAST, **options: Any
) -> AsyncIterator[asyncio.Task[None]]:
    """A running collector; at the end it is told to stop and stores what is left."""
    stopped = asyncio.Event()
    context = ServiceContext(settings, lake, options={"timing": timing, **options})
    task = asyncio.create_task(serve(context, stopped))
    try:
        await until(lambda: task.done() or has_ticks(lake))
        yield task
    finally:
        stopped.set()
        await task


async def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Polls until `condition` is true; fails after `seconds`."""
    deadline = Deadline(seconds)
    while not condition():
        assert not deadline.passed, f"it did not happen in {seconds:g} s\n{doings()}"
        await asyncio.sleep(0.02)


def has_ticks(lake: Lake) -> bool:
    """Whether the lake has its tables."""
    if not lake.ticks_db.exists():
        return False
    return bool(rows_of(lake, "SELECT 1 FROM sqlite_master WHERE name = 'ticks'"))


def ticks(lake: Lake) -> int:
    """Trades stored in SQLite."""
    return int(str(rows_of(lake, "SELECT count(*) FROM ticks")[0][0]))


async def more_ticks(lake: Lake, count: int) -> None:
    """Waits until so many more trades are stored."""
    stored = ticks(lake)
    await until(lambda: ticks(lake) >= stored + count)


def counter(lake: Lake, name: str) -> float:
    """A counter, summed over symbols."""
    query = f"SELECT total(value) FROM counters WHERE name = '{name}'"
    return float(str(rows_of(lake, query)[0][0]))


def open_gaps(lake: Lake) -> int:
    return len(rows_of(lake, "SELECT id FROM gaps WHERE state = 'open'"))


def caught_up(lake: Lake, since_ms: int) -> bool:
    """Whether every symbol has a trade from after `since_ms`, and all those before it."""
    # NULL is a symbol that nothing came of yet, and no row a collector that has only begun.
    query = "SELECT coalesce(min(coalesce(last_time_ms, 0)), 0) FROM symbols"
    ((oldest,),) = rows_of(lake, query)
    # Looked at afterwards: a gap is on record as soon as the trade behind it is there.
    return int(str(oldest)) > since_ms and not open_gaps(lake)


async def all_caught_up(lake: Lake, exchange: SimulatedExchange, seconds: float = PATIENCE) -> None:
    """Waits until all is stored that the exchange has made by now, and what was lost repaired.

    A count of further trades tells nothing of it: those on their way, or a page of REST, reach
    any count before the first trade behind a loss is there, and the loss known.
    """
    now_ms = exchange.clock_ms()
    await until(lambda: caught_up(lake, now_ms), seconds)


def made(monkeypatch: pytest.MonkeyPatch, place: str, kind: Callable[..., T]) -> list[T]:
    """Those of `kind` that a module makes from now on by its name for it, `place`."""
    found: list[T] = []

    def remember(*arguments: object) -> T:
        found.append(kind(*arguments))
        return found[-1]

    monkeypatch.setattr(place, remember)
    return found


def drawn_faults(seed: int, count: int, frames: int) -> Faults:
    """Random faults, and behind them a loss that all connections share.

    Two connections lose hardly anything together, and a fault of REST waits for a request.
    """
    shared_loss = Tamper("lost", when=When(frame=frames + 100, times=200))
    return Faults([*random_faults(seed, count, frames), shared_loss])


def differences(lake: Lake, exchange: SimulatedExchange | ExchangeHandle) -> dict[str, int]:
    """How many trades are missing, there twice, or not as they were made.

    Every trade counts that the exchange made between the first and the last one in the lake.
    """
    found = {"missing": 0, "twice": 0, "wrong": 0, "right": 0}
    stored = read_trades(lake, 0, 2**62)
    raw = rows_of(lake, "SELECT count(*), count(DISTINCT symbol || ' ' || trade_id) FROM ticks")
    found["twice"] = int(str(raw[0][0])) - int(str(raw[0][1]))
    since_ms = int(str(stored["time_ms"].min()))
    for symbol, columns in exchange.truth(since_ms=since_ms).items():
        ours = stored.filter(pl.col("symbol") == symbol)
        first, last = ours["trade_id"].min(), ours["trade_id"].max()
        truth = pl.DataFrame(
            {
                "trade_id": columns.ids,
                "time_ms": columns.times_ms,
                "price": columns.prices,
                "qty": columns.qtys,
                "buyer_is_maker": columns.buyer_is_maker.astype("int64"),
            }
        ).filter(pl.col("trade_id").is_between(first, last))
        same = truth.join(ours.drop("symbol"), on=truth.columns, how="inner").height
        found["right"] += same
        found["missing"] += truth.join(ours, on="trade_id", how="anti").height
        found["wrong"] += ours.height - same
    return found
