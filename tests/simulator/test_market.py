"""The synthetic market: the same for ever, without holes, and worth looking at."""

import json
import math
from itertools import pairwise

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from simulator import SyntheticMarket, TradeColumns
from simulator.serving.rest import Rest
from simulator.source import decimal_text
from simulator.synthetic.instruments import Instrument, instrument
from simulator.synthetic.model import BLOCK_MS, Block, MarketModel
from simulator.synthetic.noise import Floats, brownian, key_of, normal, reverting, uniform

START_MS = 1_795_000_000_000
MINUTE_MS = 60_000
ALL = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "1000PEPEUSDT", "NOVELUSDT")


def columns(model: SyntheticMarket, symbol: str, minutes: float) -> TradeColumns:
    return model.columns(symbol, START_MS, START_MS + round(minutes * MINUTE_MS))


@pytest.mark.parametrize("symbol", ALL)
def test_ids_rise_by_one_and_times_never_fall(symbol: str) -> None:
    trades = columns(SyntheticMarket(1, ALL), symbol, 5)
    assert len(trades) > 5 * 60
    assert (np.diff(trades.ids) == 1).all()
    assert (np.diff(trades.times_ms) >= 0).all()
    assert trades.times_ms[0] >= START_MS
    assert trades.times_ms[-1] < START_MS + 5 * MINUTE_MS


@pytest.mark.parametrize("symbol", ALL)
def test_prices_and_quantities_are_whole_ticks_and_steps(symbol: str) -> None:
    trades = columns(SyntheticMarket(1, ALL), symbol, 1)
    contract = instrument(symbol)
    for values, decimals in (
        (trades.prices, contract.price_decimals),
        (trades.qtys, contract.qty_decimals),
    ):
        texts = [decimal_text(round(value * 10**decimals), decimals) for value in values]
        assert [float(text) for text in texts] == values.tolist()
        assert values.min() > 0
    assert 0.3 < trades.prices[0] / contract.price < 3.0
    assert 0.2 < trades.buyer_is_maker.mean() < 0.8


def test_pieces_are_equal_to_the_whole_in_any_order_and_any_process() -> None:
    whole = columns(SyntheticMarket(7, ALL), "ETHUSDT", 3)
    bounds = [START_MS + ms for ms in (0, 1, 59_999, 60_000, 61_234, 3 * MINUTE_MS)]
    other = SyntheticMarket(7, ["ETHUSDT"])
    pieces = {
        start: other.columns("ETHUSDT", start, end)
        for start, end in reversed(list(pairwise(bounds)))
    }
    joined = TradeColumns.concatenate(pieces[start] for start in bounds[:-1])
    for name in ("ids", "times_ms", "prices", "qtys", "buyer_is_maker"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(joined, name))


@pytest.mark.parametrize("symbol", ["ETHUSDT", "XRPUSDT"])
def test_many_minutes_at_once_are_the_same_as_one_by_one(symbol: str) -> None:
    model = MarketModel(7, [symbol])
    after_ms = START_MS + 300 * MINUTE_MS - 17
    together = list(model.parts(symbol, START_MS, after_ms))
    single = [
        model.columns(symbol, at, min(at + MINUTE_MS, after_ms))
        for at in range(START_MS, after_ms, MINUTE_MS)
    ]
    assert len(together) < 5
    whole, joined = (TradeColumns.concatenate(parts) for parts in (together, single))
    for name in TradeColumns.__slots__:
        np.testing.assert_array_equal(getattr(whole, name), getattr(joined, name))


def test_a_page_of_klines_makes_few_calls_and_leaves_the_newest_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    market = SyntheticMarket(3, ["BTCUSDT"])
    newest = market.columns("BTCUSDT", START_MS, START_MS + 1)
    made: list[int] = []
    make = MarketModel._make

    def counted(model: MarketModel, traded: Instrument, number: int, many: int = 1) -> Block:
        made.append(many)
        return make(model, traded, number, many)

    monkeypatch.setattr(MarketModel, "_make", counted)
    query = f"symbol=BTCUSDT&interval=1m&limit=1500&endTime={START_MS}"
    reply = Rest(market, 2400).serve(f"/fapi/v1/klines?{query}", START_MS + 1)
    assert len(json.loads(reply.body)) == 1500
    assert 1500 <= sum(made) <= 1502
    assert len(made) <= 20
    made.clear()
    assert len(market.columns("BTCUSDT", START_MS, START_MS + 1)) == len(newest)
    assert made == []


def test_another_seed_is_another_market() -> None:
    one, other = (columns(SyntheticMarket(seed, ALL), "BTCUSDT", 1) for seed in (1, 2))
    assert len(one) > 0
    assert set(zip(one.times_ms, one.prices, strict=True)).isdisjoint(
        zip(other.times_ms, other.prices, strict=True)
    )


def test_rate_is_trades_a_second_of_every_symbol() -> None:
    market = SyntheticMarket(1, ALL, rate=20)
    for symbol in ALL:
        assert 0.9 < len(columns(market, symbol, 10)) / (20 * 600) < 1.1


def test_some_seconds_are_empty_and_some_are_busy() -> None:
    trades = columns(SyntheticMarket(1, ALL), "BTCUSDT", 30)
    counts = np.bincount((trades.times_ms - START_MS) // 1000, minlength=1800)
    assert 0.02 < (counts == 0).mean() < 0.2
    assert counts.max() > 4 * counts.mean()


def test_only_the_latest_blocks_are_kept() -> None:
    model = MarketModel(1, ["BTCUSDT"])
    first = model.block("BTCUSDT", 1000)
    assert model.block("BTCUSDT", 1000) is first
    for number in range(1001, 1200):
        model.block("BTCUSDT", number)
    again = model.block("BTCUSDT", 1000)
    assert again is not first
    np.testing.assert_array_equal(again.ticks, first.ticks)
    assert BLOCK_MS == MINUTE_MS


def test_brownian_noise_grows_with_the_square_root_of_time() -> None:
    seconds = np.arange(0.0, 100_000.0, 1.0)
    path = brownian(1, seconds)
    for lag in (1, 16, 256):
        assert np.diff(path[::lag]).std() == pytest.approx(np.sqrt(lag), rel=0.15)


def test_a_brownian_path_is_the_sum_of_its_tents() -> None:
    """By a plain loop over the octaves, at instants of the model's grid and others."""
    rng = np.random.default_rng(1)
    seconds = START_MS / 1000 + np.sort(rng.uniform(0, 900, 300)).round(3)
    length = 2.0**21
    wanted = []
    for at in seconds:
        cell = math.floor(at / length)
        left, right = normal(key_of(5, "corner"), np.array([cell, cell + 1])).tolist()
        value = math.sqrt(length) * (left + (right - left) * (at / length - cell))
        for power in range(-1, 22):
            inner = math.floor(at / 2.0**power)
            tent = 1 - abs(2 * (at / 2.0**power - inner) - 1)
            height = normal(key_of(5, power), np.array([inner]))[0]
            value += math.sqrt(2.0**power) / 2 * tent * height
        wanted.append(value)
    path = brownian(5, seconds)
    np.testing.assert_allclose(path, wanted, atol=1e-6)
    np.testing.assert_array_equal(path[40:60], brownian(5, seconds[40:60]))


def test_reverting_noise_stays_near_its_mean_everywhere() -> None:
    cells = reverting(1, np.arange(0.0, 32.0 * 4000, 0.5), longest=5).reshape(-1, 64)
    assert cells.std() == pytest.approx(1.0, rel=0.15)
    # No instant of a cell is pinned to zero.
    assert cells.std(axis=0).min() > 0.7
    assert abs(cells.mean()) < 0.1


def test_uniform_noise_fills_its_range() -> None:
    draws = uniform(3, np.arange(100_000))
    counts, _ = np.histogram(draws, bins=10, range=(0.0, 1.0))
    assert counts.min() > 9_500
    assert counts.max() < 10_500


def closes(market: SyntheticMarket, symbol: str, seconds: int) -> Floats:
    trades = market.columns(symbol, START_MS - MINUTE_MS, START_MS + 1000 * seconds)
    ends = START_MS + 1000 * np.arange(1, seconds + 1)
    return trades.prices[np.searchsorted(trades.times_ms, ends) - 1]


@pytest.mark.parametrize(("a", "b"), [("BTCUSDT", "ETHUSDT"), ("ETHUSDT", "SOLUSDT")])
@pytest.mark.parametrize("seed", [1, 2])
def test_pairs_are_correlated_and_their_spread_leaves_and_returns(
    a: str, b: str, seed: int
) -> None:
    """With the defaults (60 bars, 300 of lookback, threshold 2) there is something to see."""
    market = SyntheticMarket(seed, ALL)
    leg_a, leg_b = closes(market, a, 3600), closes(market, b, 3600)
    window_a, window_b = sliding_window_view(leg_a, 300), sliding_window_view(leg_b, 300)
    centred_b = window_b - window_b.mean(axis=1, keepdims=True)
    beta = (window_a * centred_b).sum(axis=1) / (centred_b**2).sum(axis=1)
    spread = window_a[:, -60:] - beta[:, None] * window_b[:, -60:]
    z = (spread[:, -1] - spread.mean(axis=1)) / spread.std(axis=1, ddof=1)
    correlation = [
        np.corrcoef(x, y)[0, 1]
        for x, y in zip(window_a[::10, -60:], window_b[::10, -60:], strict=True)
    ]
    assert np.median(correlation) > 0.8
    assert np.quantile(correlation, 0.05) > 0.4
    assert np.quantile(beta, 0.95) / np.quantile(beta, 0.05) < 1.6
    beyond = np.abs(z) > 2
    crossings = np.count_nonzero(beyond[1:] & ~beyond[:-1])
    assert 3 <= crossings / (len(z) / 600) <= 30
    assert 0.01 < beyond.mean() < 0.15
