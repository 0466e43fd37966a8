"""Trades that are dated far ahead: stored, not followed, and in their bars when the time comes."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics_job.job import AnalyticsJob
from tests.analytics_job import harness
from tests.analytics_job.markets import EPOCH_MS, walk
from tests.trades import Trade

SYMBOLS = ["AUSDT", "BUSDT", "CUSDT"]
CONFIG = harness.settings(
    symbols=SYMBOLS, pairs="all", timeframes=["1s"], windows=[5], lookbacks=[9]
)
HOUR = 3_600_000
DAY = 24 * HOUR


def _walk(seconds: int) -> list[Trade]:
    return sorted(walk(SYMBOLS, seconds, seed=5), key=lambda trade: trade.time_ms)


def _wrong(trades: Sequence[Trade], at: int, ahead_ms: int) -> list[Trade]:
    """The same trades, one of them dated so far ahead."""
    late = trades[at]._replace(time_ms=trades[at].time_ms + ahead_ms)
    return [*trades[:at], late, *trades[at + 1 :]]


def _tables(trades: Sequence[Trade], *cuts: int, restart: bool = False) -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        lake = harness.TestLake(Path(folder))
        job = AnalyticsJob(lake.lake, CONFIG)
        for low, high in pairwise(sorted({0, *cuts, len(trades)})):
            lake.store(trades[low:high])
            job.step()
            if restart:
                job.close()
                job = AnalyticsJob(lake.lake, CONFIG)
        job.close()
        tables = lake.tables() | {"counters": lake.table("counters")}
        lake.close()
    return tables


def _late(tables: dict[str, Any]) -> float:
    return sum(float(row["value"]) for row in tables["counters"] if row["name"] == "late_trades")


def _last_bar(tables: dict[str, Any]) -> int:
    return max(int(row["time"]) for row in tables["bars"])


@pytest.mark.parametrize("ahead_ms", [70_000, HOUR, DAY - 1, 400 * DAY])
@pytest.mark.parametrize("at", [0, 100, -20])
def test_a_wrongly_dated_trade_makes_no_bar_of_the_future(ahead_ms: int, at: int) -> None:
    trades = _walk(60)
    tables = _tables(_wrong(trades, at % len(trades), ahead_ms), *range(0, len(trades), 40))
    assert _last_bar(tables) < EPOCH_MS // 1000 + 60
    assert _late(tables) == 0


def test_it_is_in_its_bar_when_the_time_comes_as_if_it_had_come_then() -> None:
    trades = _walk(200)
    wrong = _wrong(trades, 50, 90_000)
    in_time = sorted(wrong, key=lambda trade: trade.time_ms)
    expected = _tables(in_time, *range(0, len(trades), 40))
    for restart in (False, True):
        tables = _tables(wrong, *range(0, len(trades), 40), restart=restart)
        for name in harness.TABLES:
            assert tables[name] == expected[name]
        assert _late(tables) == 0


@settings(deadline=None, max_examples=15)
@given(
    st.lists(st.integers(0, 400), max_size=5),
    st.integers(0, 350),
    st.sampled_from([70_000, 100_000, HOUR]),
    st.booleans(),
)
def test_any_batching_gives_the_same_tables(
    cuts: list[int], at: int, ahead_ms: int, restart: bool
) -> None:
    trades = _wrong(_walk(150), at, ahead_ms)
    whole = _tables(trades, *range(0, len(trades), 100))
    parts = _tables(trades, *(cut for cut in cuts if cut < len(trades)), restart=restart)
    for name in harness.TABLES:
        assert parts[name] == whole[name]


def test_a_symbol_that_is_always_ahead_leaves_the_others_alone() -> None:
    # From the first trade of the lake on.
    trades = [
        trade._replace(time_ms=trade.time_ms + HOUR) if trade.symbol == "AUSDT" else trade
        for trade in _walk(120)
    ]
    tables = _tables(trades, *range(0, len(trades), 40))
    assert {row["symbol"] for row in tables["bars"]} == {"BUSDT", "CUSDT"}
    assert _last_bar(tables) < EPOCH_MS // 1000 + 120
    assert _late(tables) == 0


def test_after_a_break_the_first_trades_wait_for_one_another(tmp_path: Path) -> None:
    trades = _walk(30)
    resumed = [trade._replace(time_ms=trade.time_ms + 70_000) for trade in _walk(60)]
    resumed = [trade._replace(trade_id=trade.trade_id + 1_000) for trade in resumed]
    alone = [trade for trade in resumed[:20] if trade.symbol == "AUSDT"]
    others = [trade for trade in resumed if trade not in alone]
    expected = _tables([*trades, *alone, *others], len(trades))
    tables = _tables([*trades, *alone, *others], len(trades), len(trades) + len(alone))
    for name in harness.TABLES:
        assert tables[name] == expected[name]
    assert _last_bar(tables) > EPOCH_MS // 1000 + 120
