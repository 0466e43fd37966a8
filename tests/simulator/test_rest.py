"""The REST side: what it serves, what it refuses, and what it weighs."""

import asyncio
import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple

from simulator import Limits, SimulatedExchange, SyntheticMarket, TradeColumns
from simulator.serving.klines import INTERVALS, klines
from simulator.serving.rest import Rest, request_weight
from simulator.serving.statuses import Statuses
from simulator.source import Contract
from spreadlake.binance.listings import STATUSES
from spreadlake.errors import InputError
from tests.simulator.clients import SYMBOLS, combined, decoded, get, opened, take

NOW_MS = 1_795_000_030_500
MINUTE_MS = 60_000
MARKET = SyntheticMarket(3, SYMBOLS)
REST = Rest(MARKET, 2400)


def ask(endpoint: str, status: int = 200, **query: object) -> Any:
    """Body of the reply to `endpoint`; `from_id` and so on are written as the exchange does."""
    names = {"from_id": "fromId", "start": "startTime", "end": "endTime"}
    text = "&".join(f"{names.get(name, name)}={value}" for name, value in query.items())
    reply = REST.serve(f"/fapi/v1/{endpoint}?{text}", NOW_MS)
    assert reply.status == status, reply.body
    return json.loads(reply.body)


def trades_of(rows: list[dict[str, Any]]) -> list[tuple[int, int, float, float, bool]]:
    return [(r["a"], r["T"], float(r["p"]), float(r["q"]), r["m"]) for r in rows]


def expected(start_ms: int, end_ms: int) -> list[tuple[int, int, float, float, bool]]:
    c = MARKET.columns("BTCUSDT", start_ms, end_ms)
    columns = (c.ids, c.times_ms, c.prices, c.qtys, c.buyer_is_maker)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_agg_trades_without_bounds_are_the_most_recent() -> None:
    rows = ask("aggTrades", symbol="BTCUSDT")
    assert len(rows) == 500
    assert trades_of(rows) == expected(NOW_MS - 10 * MINUTE_MS, NOW_MS)[-500:]
    assert set(rows[0]) == {"a", "p", "q", "nq", "f", "l", "T", "m"}
    assert all(later["f"] == row["l"] + 1 for row, later in pairwise(rows))
    assert all(len(row["p"].partition(".")[2]) == 1 for row in rows)


def test_agg_trades_by_id_cross_minutes_and_end_at_now() -> None:
    everything = expected(NOW_MS - 3 * MINUTE_MS, NOW_MS)
    collected: list[Any] = []
    next_id = everything[0][0]
    while rows := ask("aggTrades", symbol="BTCUSDT", from_id=next_id, limit=1000):
        collected += trades_of(rows)
        next_id = rows[-1]["a"] + 1
    assert collected == everything


def test_agg_trades_by_time_are_inclusive_at_both_ends() -> None:
    everything = expected(NOW_MS - MINUTE_MS, NOW_MS)
    start, end = everything[10][1], everything[40][1]
    wanted = [trade for trade in everything if start <= trade[1] <= end]
    rows = ask("aggTrades", symbol="BTCUSDT", start=start, end=end)
    assert trades_of(rows) == wanted
    first = ask("aggTrades", symbol="BTCUSDT", start=start, end=end, limit=5)
    assert trades_of(first) == wanted[:5]
    assert trades_of(ask("aggTrades", symbol="BTCUSDT", start=start, limit=5)) == wanted[:5]
    assert trades_of(ask("aggTrades", symbol="BTCUSDT", end=end, limit=5)) == wanted[-5:]


def test_trades_of_the_future_do_not_exist_yet() -> None:
    latest = ask("aggTrades", symbol="BTCUSDT", limit=1)[0]
    assert ask("aggTrades", symbol="BTCUSDT", from_id=latest["a"] + 1) == []
    assert ask("aggTrades", symbol="BTCUSDT", start=NOW_MS) == []
    assert ask("klines", symbol="BTCUSDT", interval="1m", start=NOW_MS + MINUTE_MS) == []


HOUR_MS = 60 * MINUTE_MS


@pytest.mark.parametrize(
    ("endpoint", "query", "code"),
    [
        ("aggTrades", {}, -1102),
        ("aggTrades", {"symbol": ""}, -1102),
        ("aggTrades", {"symbol": "NOPEUSDT"}, -1121),
        ("aggTrades", {"symbol": "btcusdt"}, -1121),
        ("aggTrades", {"symbol": "BTCUSDT", "limit": 1001}, -1130),
        ("aggTrades", {"symbol": "BTCUSDT", "limit": 0}, -1130),
        ("aggTrades", {"symbol": "BTCUSDT", "limit": "x"}, -1100),
        ("aggTrades", {"symbol": "BTCUSDT", "from_id": "-1"}, -1100),
        ("aggTrades", {"symbol": "BTCUSDT", "from_id": "9" * 5000}, -1100),
        ("aggTrades", {"symbol": "BTCUSDT", "from_id": 1, "start": 1}, -1128),
        ("aggTrades", {"symbol": "BTCUSDT", "start": 2, "end": 1}, -1023),
        ("aggTrades", {"symbol": "BTCUSDT", "start": 0, "end": HOUR_MS + 1}, -1127),
        ("klines", {"symbol": "BTCUSDT"}, -1120),
        ("klines", {"symbol": "BTCUSDT", "interval": "7m"}, -1120),
        ("klines", {"symbol": "NOPEUSDT", "interval": "1m"}, -1121),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": 1501}, -1130),
    ],
)
def test_wrong_queries_get_the_exchange_s_codes(
    endpoint: str, query: dict[str, object], code: int
) -> None:
    error = ask(endpoint, 400, **query)
    assert error["code"] == code
    assert error["msg"]


def test_unknown_paths_are_not_found() -> None:
    assert ask("nonsense", 404)["code"] == -5000


def resampled(trades: list[tuple[int, int, float, float, bool]], step: int) -> Iterator[list[Any]]:
    """Klines by a plain loop: open, high, low, close, volume, count, taker's volume."""
    bars: dict[int, list[Any]] = {}
    for _, time_ms, price, qty, maker in trades:
        bar = bars.setdefault(time_ms // step * step, [price, price, price, price, 0.0, 0, 0.0])
        bar[1], bar[2], bar[3] = max(bar[1], price), min(bar[2], price), price
        bar[4] += qty
        bar[5] += 1
        bar[6] += 0.0 if maker else qty
    return ([opened_ms, *bar] for opened_ms, bar in bars.items())


@pytest.mark.parametrize("interval", ["1m", "5m", "1h"])
def test_klines_are_the_trades_resampled(interval: str) -> None:
    step = INTERVALS[interval]
    rows = ask("klines", symbol="BTCUSDT", interval=interval, limit=3)
    assert [row[0] for row in rows] == [NOW_MS // step * step - n * step for n in (2, 1, 0)]
    wanted = list(resampled(expected(rows[0][0], NOW_MS), step))
    for row, bar in zip(rows, wanted, strict=True):
        got = [float(value) for value in (row[0], *row[1:6], row[8], row[9])]
        assert got == pytest.approx(bar)
        assert row[6] == row[0] + step - 1
        assert float(row[7]) == pytest.approx(float(row[5]) * float(row[4]), rel=0.05)
        assert 0 < float(row[10]) < float(row[7])
        assert row[11] == "0"
        assert all(isinstance(row[i], str) for i in (1, 2, 3, 4, 5, 7, 9, 10))


def test_klines_within_bounds() -> None:
    start = NOW_MS // MINUTE_MS * MINUTE_MS - 10 * MINUTE_MS
    rows = ask(
        "klines", symbol="BTCUSDT", interval="1m", start=start - 1, end=start + 4 * MINUTE_MS
    )
    assert [row[0] for row in rows] == [start + n * MINUTE_MS for n in range(5)]
    first = ask("klines", symbol="BTCUSDT", interval="1m", start=start, limit=2)
    assert first == rows[:2]
    last = ask("klines", symbol="BTCUSDT", interval="1m", end=start + 4 * MINUTE_MS, limit=2)
    assert last == rows[-2:]


def cut(trades: TradeColumns, *places: int) -> list[TradeColumns]:
    """The same trades in parts."""
    columns = [getattr(trades, name) for name in TradeColumns.__slots__]
    split = [np.split(column, list(places)) for column in columns]
    return [TradeColumns(*part) for part in zip(*split, strict=True)]


@given(
    st.lists(st.tuples(st.integers(0, 599_999), st.integers(1, 9), st.booleans()), min_size=1),
    st.lists(st.integers(0, 40), max_size=4),
)
def test_klines_are_the_same_in_any_parts_and_any_window(
    drawn: list[tuple[int, int, bool]], places: list[int]
) -> None:
    """Against a plain loop; a window's klines are those of a longer one."""
    drawn.sort(key=lambda one: one[0])
    times, sizes, maker = (np.array(column) for column in zip(*drawn, strict=True))
    ids = np.arange(len(drawn))
    trades = TradeColumns(ids, times, 10.0 + sizes % 4 / 2, sizes.astype(float), maker)
    contract = Contract("X", 1, 0)
    rows = klines(cut(trades, *sorted(places)), contract, MINUTE_MS, 0, 10, lambda: 7.5)
    plain = list(zip(*(getattr(trades, n).tolist() for n in TradeColumns.__slots__), strict=True))
    wanted = {bar[0]: bar[1:] for bar in resampled(plain, MINUTE_MS)}
    close = 7.5
    for row in rows:
        bar = wanted.get(row.open_ms, [close] * 4 + [0.0, 0, 0.0])
        assert [
            float(value) for value in (*astuple(row)[1:6], row.trades, row.taker_buy_volume)
        ] == bar
        close = bar[3]
    quote = sum(float(row.quote_volume) for row in rows)
    assert quote == pytest.approx(float((trades.prices * trades.qtys).sum()))
    low = 3 * MINUTE_MS
    before, later = cut(trades, int(np.searchsorted(times, low)))
    closes = [*before.prices.tolist()[-1:], 7.5]
    assert klines([later], contract, MINUTE_MS, low, 7, lambda: closes[0]) == rows[3:]


def test_a_kline_without_a_trade_repeats_the_close() -> None:
    trades = TradeColumns(
        np.array([1, 2]),
        np.array([60_000, 240_000]),
        np.array([10.5, 11.0]),
        np.array([1.0, 2.0]),
        np.array([False, True]),
    )
    contract = Contract("X", 1, 0)
    rows = klines([trades], contract, MINUTE_MS, 0, 5, lambda: None)
    assert [(row.open_ms, row.open, row.close, row.volume, row.trades) for row in rows] == [
        (60_000, "10.5", "10.5", "1", 1),
        (120_000, "10.5", "10.5", "0", 0),
        (180_000, "10.5", "10.5", "0", 0),
        (240_000, "11.0", "11.0", "2", 1),
    ]
    before = klines([trades], contract, MINUTE_MS, 0, 2, lambda: 9.5)
    assert [astuple(row)[1:6] for row in before] == [
        (*["9.5"] * 4, "0"),
        (*["10.5"] * 4, "1"),
    ]
    assert klines(cut(trades, 1), contract, MINUTE_MS, 0, 5, lambda: None) == rows


def test_exchange_info_describes_the_symbols() -> None:
    info = ask("exchangeInfo")
    assert [symbol["symbol"] for symbol in info["symbols"]] == list(SYMBOLS)
    assert {symbol["status"] for symbol in info["symbols"]} == {"TRADING"}
    filters = {one["filterType"]: one for one in info["symbols"][0]["filters"]}
    assert filters["PRICE_FILTER"]["tickSize"] == "0.1"
    assert filters["LOT_SIZE"]["stepSize"] == "0.001"
    assert info["rateLimits"][0]["limit"] == 2400
    assert ask("time") == {"serverTime": NOW_MS}
    assert ask("ping") == {}


@pytest.mark.parametrize(
    ("target", "weight"),
    [
        ("aggTrades?symbol=BTCUSDT&limit=1", 20),
        ("klines?limit=99", 1),
        ("klines?limit=100", 2),
        ("klines", 5),
        ("klines?limit=1000", 5),
        ("klines?limit=1001", 10),
        ("klines?limit=x", 5),
        ("exchangeInfo", 1),
        ("time", 1),
    ],
)
def test_weights(target: str, weight: int) -> None:
    assert request_weight(f"/fapi/v1/{target}") == weight


def test_over_the_limit_429_then_418_with_retry_after() -> None:
    limits = Limits(weight_per_minute=50, weight_window=3600, ban_after=1, ban_seconds=3600)

    async def scenario() -> None:
        async with SimulatedExchange(SyntheticMarket(1, SYMBOLS), limits=limits) as exchange:
            replies = [
                await get(exchange, "/fapi/v1/aggTrades?symbol=BTCUSDT&limit=1") for _ in range(5)
            ]
            assert [reply.status_code for reply in replies] == [200, 200, 429, 418, 418]
            used = [reply.headers["X-MBX-USED-WEIGHT-1M"] for reply in replies]
            assert used == ["20", "40", "60", "80", "80"]
            assert all(int(reply.headers["Retry-After"]) > 0 for reply in replies[2:])
            assert replies[2].json()["code"] == -1003
            assert "banned" in replies[3].json()["msg"]

    asyncio.run(scenario())


def test_rest_has_what_the_stream_sent_and_the_clock_is_its_bound() -> None:
    async def scenario() -> None:
        async with (
            SimulatedExchange(SyntheticMarket(1, SYMBOLS), speed=20) as exchange,
            opened(exchange, combined("BTCUSDT")) as client,
        ):
            streamed = decoded(await take(client, 50))
            first = streamed[0].trade_id
            reply = await get(exchange, f"/fapi/v1/aggTrades?symbol=BTCUSDT&fromId={first}")
            assert reply.headers["Content-Type"].startswith("application/json")
            assert trades_of(reply.json())[:50] == [
                (t.trade_id, t.time_ms, t.price, t.qty, t.buyer_is_maker) for t in streamed
            ]
            time_reply = await get(exchange, "/fapi/v1/time")
            assert reply.json()[-1]["T"] < time_reply.json()["serverTime"] <= exchange.clock_ms()

    asyncio.run(scenario())


def test_a_contract_that_does_not_trade_has_only_its_trades_before() -> None:
    statuses = Statuses({"ETHUSDT": "PENDING_TRADING", "BTCUSDT": "TRADING_HALT"}, NOW_MS)
    rest = Rest(MARKET, 2400, statuses)

    def asked(endpoint: str, later_ms: int = 0, **query: str) -> Any:
        text = "&".join(f"{name}={value}" for name, value in query.items())
        reply = rest.serve(f"/fapi/v1/{endpoint}?{text}", NOW_MS + later_ms)
        return reply.status, json.loads(reply.body)

    info = asked("exchangeInfo")[1]["symbols"]
    assert {one["symbol"]: one["status"] for one in info} == {
        "BTCUSDT": "TRADING_HALT",
        "ETHUSDT": "PENDING_TRADING",
    }
    for endpoint in ("aggTrades", "klines"):
        assert asked(endpoint, symbol="ETHUSDT", interval="1m") == (200, [])
        before = asked(endpoint, symbol="BTCUSDT", interval="1m")
        assert len(before[1]) == 500
        assert asked(endpoint, 60_000, symbol="BTCUSDT", interval="1m") == before
    statuses.set("BTCUSDT", "TRADING", NOW_MS)
    statuses.set("ETHUSDT", "SETTLING", NOW_MS)
    assert len(asked("aggTrades", 60_000, symbol="BTCUSDT")[1]) == 500
    assert asked("aggTrades", symbol="ETHUSDT")[1]["code"] == -1122
    assert statuses.halted == {"ETHUSDT"}


def test_a_status_is_one_of_the_exchanges_own() -> None:
    with pytest.raises(InputError, match="status 'HALT' is none of TRADING, PENDING_TRADING"):
        Statuses({"BTCUSDT": "HALT"}, 0)
    for status in STATUSES:
        assert Statuses({"BTCUSDT": status}, 0).of("BTCUSDT") == status
