"""History that one start did not come to the end of is fetched by the next one."""

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from collector.history.missing import MissingHistory
from collector.storage.batch import Batch
from collector.storage.store import TickStore
from simulator import (
    ExchangeHandle,
    Faults,
    RestFailure,
    SimulatedExchange,
    When,
    exchange_in_thread,
)
from spreadlake import binance
from spreadlake.config import Settings, load_settings
from spreadlake.lake import Lake, open_reader, read_status
from tests.collector.lakes import A, B, quick_writer, rows_of, trades, wait_until
from tests.collector.live import (
    SYMBOLS,
    caught_up,
    collecting,
    counter,
    differences,
    market,
    settings_for,
    ticks,
    until,
)
from tests.collector.processes import started
from tests.patience import PATIENCE

MINUTE_MS = 60_000
NOTHING: dict[str, Any] = {"klines": [], "trades": {}}
CLEAN = {"missing": 0, "twice": 0, "wrong": 0}
MINUTES = 10
# Enough for four pages: of each symbol six or seven are wanted.
LITTLE = {"warm_start_minutes": MINUTES, "request_weight": 100}
AMPLE = {"warm_start_minutes": MINUTES, "request_weight": 2400}


def missing(lake: Lake) -> Any:
    """What the lake says is still to be fetched; None where it says nothing yet."""
    if not lake.ticks_db.exists():
        return None
    with closing(open_reader(lake.ticks_db)) as db:
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'service_status'").fetchone():
            return None
        return read_status(db).get("warm_start", (None, 0))[0]


def minutes_held(lake: Lake) -> dict[str, float]:
    rows = rows_of(lake, "SELECT symbol, max(time_ms) - min(time_ms) FROM ticks GROUP BY symbol")
    return {str(symbol): int(str(span)) / MINUTE_MS for symbol, span in rows}


def of_symbols(settings: Settings, *symbols: str) -> Settings:
    return settings.model_copy(update={"symbols": list(symbols)})


def test_a_start_that_was_stopped_goes_on_with_the_next_one(tmp_path: Path) -> None:
    """And a symbol that was configured meanwhile gets its history, too."""
    lake = Lake(tmp_path)

    async def scenario() -> dict[str, int]:
        async with SimulatedExchange(market(rate=10)) as exchange:
            async with collecting(lake, of_symbols(settings_for(exchange, **LITTLE), A, B)):
                await until(lambda: ticks(lake) > 2_500)
            left = missing(lake)["trades"]
            assert list(left) == [A, B]
            assert max(minutes_held(lake).values()) < MINUTES
            now_ms = exchange.clock_ms()
            async with collecting(lake, settings_for(exchange, **AMPLE)):
                await until(lambda: missing(lake) == NOTHING and caught_up(lake, now_ms))
            firsts = rows_of(lake, "SELECT symbol, min(time_ms) FROM ticks GROUP BY symbol")
            for symbol, first_ms in firsts[:2]:
                assert 0 <= int(str(first_ms)) - left[symbol] < 10_000
            return differences(lake, exchange)

    found = asyncio.run(scenario())
    assert found.pop("right") > 3 * MINUTES * 60
    assert found == CLEAN
    assert list(minutes_held(lake)) == SYMBOLS
    assert min(minutes_held(lake).values()) >= MINUTES


def killed(lake: Lake, exchange: ExchangeHandle, weight: int, trades: int) -> None:
    """A collector that is killed as soon as the lake holds so many trades."""
    with started(lake, overrides(exchange, weight)):
        wait_until(lambda: missing(lake) is not None and ticks(lake) >= trades)


def overrides(exchange: ExchangeHandle, weight: int) -> dict[str, Any]:
    return {
        "symbols": SYMBOLS,
        "exchange": {"ws_url": exchange.ws_url, "rest_url": exchange.rest_url},
        "collector": {"warm_start_minutes": MINUTES, "request_weight": weight},
    }


def test_a_start_that_was_killed_goes_on_with_the_next_one(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with exchange_in_thread(market(rate=10)) as exchange:
        killed(lake, exchange, weight=100, trades=1)
        # Some of the weight goes to what was missed between the two.
        killed(lake, exchange, weight=200, trades=2_500)
        assert set(missing(lake)["trades"]) == set(SYMBOLS)
        now_ms = exchange.call(SimulatedExchange.clock_ms)
        with started(lake, overrides(exchange, weight=2400)) as process:
            wait_until(lambda: missing(lake) == NOTHING and caught_up(lake, now_ms), 120)
            process.terminate()
            assert process.wait(PATIENCE) == 0
        found = differences(lake, exchange)
    assert found.pop("right") > 3 * MINUTES * 60
    assert found == CLEAN
    assert min(minutes_held(lake).values()) >= MINUTES


def test_history_that_could_not_be_had_is_told_and_fetched_at_the_next_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = Lake(tmp_path)
    offline = Faults([RestFailure("status", status=503, when=When(lasting=3600))])
    said = "recent history of BTCUSDT, ETHUSDT, SOLUSDT is not complete"
    caplog.set_level("INFO")

    async def scenario() -> None:
        async with (
            SimulatedExchange(market(rate=10), faults=offline) as exchange,
            collecting(lake, settings_for(exchange, **AMPLE)),
        ):
            await until(lambda: said in caplog.text and ticks(lake) > 10)
        assert missing(lake) == {"klines": SYMBOLS, "trades": dict.fromkeys(SYMBOLS)}
        assert "recent history is there" not in caplog.text
        async with (
            SimulatedExchange(market(rate=10)) as exchange,
            collecting(lake, settings_for(exchange, **AMPLE)),
        ):
            await until(lambda: "recent history is there" in caplog.text)
        assert counter(lake, "klines") == 3 * 300

    asyncio.run(scenario())
    assert missing(lake) == NOTHING
    assert min(minutes_held(lake).values()) >= MINUTES


def history(store: TickStore, **overrides: Any) -> MissingHistory:
    symbols = overrides.pop("symbols", [A, B])
    return MissingHistory(
        store, load_settings(None, symbols=symbols, pairs="all", **overrides), binance
    )


def test_what_is_missing_is_on_record_until_it_is_there(tmp_path: Path) -> None:
    with closing(quick_writer(Lake(tmp_path))) as db:
        first = history(TickStore(db, [A, B]))
        assert first.klines == [A, B]
        assert first.trades == {A: None, B: None}
        first.klines.remove(A)
        first.trades.update({A: 7, B: 7})
        first.save()
        TickStore(db, [A, B]).write(Batch(trades([100])))
        then = history(TickStore(db, [A, B]))
        assert then.klines == [B]
        # Of B nothing is there yet: from what time on it is wanted is asked anew.
        assert then.trades == {A: 7, B: None}
        assert then.symbols == [B, A]


def test_only_what_is_configured_is_fetched(tmp_path: Path) -> None:
    with closing(quick_writer(Lake(tmp_path))) as db:
        history(TickStore(db, [A, B])).save()
        TickStore(db, [A, B]).write(Batch([*trades([100]), *trades([100], B)]))
        store = TickStore(db, [A, B])
        assert history(store, symbols=[A]).symbols == [A]
        of_trade_ids = history(store, exchange={"trades": "trade"})
        assert (of_trade_ids.klines, of_trade_ids.trades) == ([A, B], {})
        turned_off = history(store, collector={"warm_start_minutes": 0})
        assert turned_off.symbols == []
        turned_off.save()
        assert history(store).symbols == []
