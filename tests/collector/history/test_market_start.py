"""The warm start of a market: minutes of all first, the largest symbols first, few commits."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from collector.history.klines import KlineHistory
from collector.history.missing import MissingHistory
from collector.rest import RestClient
from collector.storage.store import TickStore
from simulator import SimulatedExchange, SyntheticMarket, exchange_in_thread
from spreadlake import binance
from spreadlake.config import Settings, load_settings
from spreadlake.lake import Lake, atomic, open_ticks_writer
from spreadlake.lake.ticks.universe import UniverseRow, save_universe
from spreadlake.venue import Kline
from tests.collector.lakes import rows_of, wait_until
from tests.collector.live import collecting, counter, ticks, until
from tests.collector.processes import started

SYMBOLS = [f"M{n:02}USDT" for n in range(40)]


def market() -> SyntheticMarket:
    return SyntheticMarket(seed=2, symbols=SYMBOLS, rate=0.2)


def overrides(exchange: Any, **collector: Any) -> dict[str, Any]:
    collector = {"warm_start_minutes": 5, "request_weight": 2400, "funding": False} | collector
    urls = {"ws_url": exchange.ws_url, "rest_url": exchange.rest_url}
    return {"symbols": SYMBOLS, "pairs": [], "exchange": urls, "collector": collector}


def settings_for(exchange: Any, **collector: Any) -> Settings:
    return load_settings(None, **overrides(exchange, **collector))


def by_arrival(lake: Lake) -> list[str]:
    return [str(s) for (s,) in rows_of(lake, "SELECT symbol FROM kline_changes ORDER BY seq")]


def volumes_recorded(lake: Lake, volumes: dict[str, float]) -> None:
    """As the look before left them."""
    rows = [UniverseRow(s, None, "", quote_volume=v) for s, v in volumes.items()]
    with closing(open_ticks_writer(lake)) as db, atomic(db):
        save_universe(db, rows, "", None)


def test_minutes_of_all_are_there_before_trades_and_it_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With a budget that all klines and one page of trades of each do not fit into."""
    lake = Lake(tmp_path)
    caplog.set_level("INFO")
    left = "recent history: trades of 40 symbols to fetch, at most about"

    async def scenario() -> None:
        async with (
            SimulatedExchange(market()) as exchange,
            collecting(lake, settings_for(exchange, request_weight=200)),
        ):
            await until(lambda: counter(lake, "klines") == len(SYMBOLS) * 300)
            await until(lambda: left in caplog.text)

    asyncio.run(scenario())
    assert sorted(by_arrival(lake)) == SYMBOLS
    assert "1m klines of all symbols are there" in caplog.text.partition(left)[0]


@pytest.mark.parametrize("known", [True, False])
def test_the_largest_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """By the volumes on record, or by those that are asked for; a few are under way at once."""
    lake = Lake(tmp_path)
    volumes = {symbol: float((7 * n) % 40) for n, symbol in enumerate(SYMBOLS)}
    wanted = sorted(SYMBOLS, key=lambda symbol: volumes[symbol], reverse=True)
    asked: list[str] = []
    klines = RestClient.klines

    async def counted(
        self: RestClient, symbol: str, interval: str, limit: int, end_ms: int | None = None
    ) -> list[Kline]:
        asked.append(symbol)
        return await klines(self, symbol, interval, limit, end_ms)

    async def all_volumes(_: RestClient) -> dict[str, float]:
        return volumes

    monkeypatch.setattr(RestClient, "klines", counted)
    if known:
        volumes_recorded(lake, volumes)
    else:
        monkeypatch.setattr(RestClient, "volumes", all_volumes)

    async def scenario() -> None:
        async with (
            SimulatedExchange(market()) as exchange,
            collecting(lake, settings_for(exchange)),
        ):
            await until(lambda: counter(lake, "klines") == len(SYMBOLS) * 300)

    asyncio.run(scenario())
    assert asked == wanted


def test_a_start_that_is_killed_amid_the_klines_goes_on(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with exchange_in_thread(market()) as exchange:
        with started(lake, overrides(exchange, request_weight=30)):
            wait_until(lambda: lake.ticks_db.exists() and klines_held(lake) >= 300)
        held = set(by_arrival(lake))
        assert 0 < len(held) < len(SYMBOLS)
        # One without a trade is a new symbol still: its klines may be old by then.
        held &= {str(symbol) for (symbol,) in rows_of(lake, "SELECT symbol FROM symbols")}
        with started(lake, overrides(exchange)):
            wait_until(lambda: set(by_arrival(lake)) == set(SYMBOLS))
    # Those that were whole are not asked for again.
    arrived = Counter(by_arrival(lake))
    assert sorted(arrived) == SYMBOLS
    assert all(arrived[symbol] == 1 for symbol in held)
    counts = rows_of(lake, "SELECT count(*) FROM klines GROUP BY symbol")
    assert min(int(str(number)) for (number,) in counts) >= 300


def klines_held(lake: Lake) -> int:
    tables = rows_of(lake, "SELECT count(*) FROM sqlite_master WHERE name = 'kline_changes'")
    return int(str(rows_of(lake, "SELECT count(*) FROM klines")[0][0])) if tables[0][0] else 0


class _Rest:
    """Answers at once, and counts what is under way."""

    def __init__(self) -> None:
        self.under_way = self.most = 0

    async def klines(
        self, symbol: str, interval: str, limit: int, end_ms: int | None = None
    ) -> list[Kline]:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0.01)
        self.under_way -= 1
        last = 30_000_000 if end_ms is None else end_ms // 60_000
        return [
            Kline(60_000 * minute, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1)
            for minute in range(last - limit + 1, last + 1)
        ]


class _Writer:
    """Runs at once; fails `failures` times first."""

    def __init__(self) -> None:
        self.commits = 0

    async def persist(self, function: Any) -> Any:
        self.commits += 1
        return function()


class _Resources:
    def __init__(self, store: TickStore) -> None:
        self.store, self.venue = store, binance
        self.rest, self.writer = _Rest(), _Writer()


def fetched(lake: Lake, symbols: Sequence[str], minutes: int) -> _Resources:
    with closing(open_ticks_writer(lake)) as db:
        db.execute("PRAGMA synchronous=OFF")
        resources = _Resources(TickStore(db, symbols))
        settings = load_settings(None, symbols=list(symbols), pairs=[])
        missing = MissingHistory(resources.store, settings, binance)
        assert missing.klines == list(symbols)

        async def attempt(symbol: str, step: Any) -> Any:
            return await step(symbol)

        history = KlineHistory(resources, missing, attempt)  # type: ignore[arg-type]
        asyncio.run(history.fetch(symbols, minutes))
        assert missing.klines == []
    return resources


def test_many_symbols_are_one_commit_and_few_requests_are_under_way(tmp_path: Path) -> None:
    lake, symbols = Lake(tmp_path), [f"S{n}USDT" for n in range(500)]
    resources = fetched(lake, symbols, 30)
    assert rows_of(lake, "SELECT count(*) FROM klines") == [(500 * 30,)]
    assert resources.writer.commits < 100
    assert 1 < resources.rest.most <= 8
    saved = rows_of(lake, "SELECT value FROM service_status WHERE key = 'warm_start'")
    assert '"klines": []' in str(saved[0][0])


def test_pages_of_the_least_weight_make_a_long_history(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    fetched(lake, ["AUSDT", "BUSDT"], 1200)
    counts = rows_of(
        lake, "SELECT symbol, count(*), (max(time) - min(time)) / 60 FROM klines GROUP BY 1"
    )
    assert counts == [("AUSDT", 1200, 1199), ("BUSDT", 1200, 1199)]
    assert len(by_arrival(lake)) == 2 * 3


def test_the_klines_of_a_whole_market_fit_into_two_minutes_of_the_default_budget() -> None:
    """With a minute to spare: a budget that lets go of what it has at the start of each."""
    settings = load_settings(None)
    minutes = max([*settings.lookbacks, *settings.windows])
    weight = 500 * binance.klines_weight(minutes + 1)
    assert weight <= settings.collector.request_weight


def test_trades_flow_meanwhile(tmp_path: Path) -> None:
    lake = Lake(tmp_path)

    async def scenario() -> None:
        async with (
            SimulatedExchange(market()) as exchange,
            collecting(lake, settings_for(exchange, request_weight=30)),
        ):
            await until(lambda: ticks(lake) > 40)
            assert counter(lake, "klines") < len(SYMBOLS) * 300

    asyncio.run(scenario())
