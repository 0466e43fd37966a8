"""What the exchange does not reach back to becomes lost, however it says so; nothing else does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from collector.repair.repairer import Repairer
from collector.resources import Resources
from collector.rest import RestClient, RestError, WeightBudget
from collector.storage.batch import Batch
from collector.storage.store import TickStore
from collector.storage.writer import WriterThread
from collector.symbols.roster import Roster
from collector.timing import Timing
from spreadlake import binance
from spreadlake.config import load_settings
from spreadlake.lake import Lake
from spreadlake.trade_clock import TradeClock
from spreadlake.trades import TradeEvent
from tests.collector.lakes import STEP_MS, A, B, quick_writer, rows_of, trade
from tests.collector.live import FAST, until, way

GAPS = "SELECT first_id, last_id, state FROM gaps ORDER BY first_id"
HOURS = 48
PER_HOUR = 3_600_000 // STEP_MS
LAST = 60 * PER_HOUR
REACH = LAST - HOURS * PER_HOUR  # the id of the oldest trade that is not too old


class History(RestClient):
    """Has trades from `first` to `last`; what lies before is empty, an error or passed over."""

    def __init__(
        self, first: int, last: int = LAST, beyond: Literal["empty", "error", "next"] = "empty"
    ) -> None:
        super().__init__(way("http://127.0.0.1:1"), WeightBudget(2400))
        self.first, self.last, self.beyond = first, last, beyond
        self.asked: list[int] = []

    async def trades_from(self, symbol: str, from_id: int) -> list[TradeEvent]:
        self.asked.append(from_id)
        if from_id < self.first and self.beyond == "empty":
            return []
        if from_id < self.first and self.beyond == "error":
            error = RestError("HTTP 400: fromId is too old")
            error.answered = True
            raise error
        return self._page(max(from_id, self.first), binance.TRADES_PAGE)

    async def trades_since(self, symbol: str, start_ms: int, limit: int) -> list[TradeEvent]:
        since = -(-(start_ms - trade(0).time_ms) // STEP_MS)
        return self._page(max(self.first, since), limit)

    async def latest_trades(self, symbol: str, limit: int) -> list[TradeEvent]:
        return self._page(max(self.first, self.last - limit + 1), limit)

    def _page(self, first: int, limit: int) -> list[TradeEvent]:
        return [trade(i) for i in range(first, min(first + limit, self.last + 1))]


@asynccontextmanager
async def repairing(
    lake: Lake, rest: RestClient, *ids: int, repair_hours: float = HOURS, timing: Timing = FAST
) -> AsyncIterator[TickStore]:
    """A lake that holds `ids` is being repaired; the newest trade tells what time it is."""
    settings = load_settings(
        None, symbols=[A, B], pairs="all", collector={"repair_hours": repair_hours}
    )
    with closing(quick_writer(lake)) as db:
        store, writer = TickStore(db, [A, B]), WriterThread(lake.ticks_db, 0.2)
        store.write(Batch([trade(i) for i in ids]))
        # What time it is at the exchange: many trades would tell, and one alone does not.
        store._clock = TradeClock(trade(LAST).time_ms)
        resources = Resources(settings, lake, store, writer, rest, timing, Roster([A, B]), way(""))
        task = asyncio.create_task(Repairer(resources, lambda _: lambda: False).run())
        try:
            yield store
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            writer.close()


def repaired(lake: Lake, rest: RestClient, *ids: int) -> list[tuple[object, ...]]:
    """The gaps once none of them is open any more."""

    async def scenario() -> None:
        async with repairing(lake, rest, *ids) as store:
            await until(lambda: not store.gaps.gaps())

    asyncio.run(scenario())
    return rows_of(lake, GAPS)


@pytest.mark.parametrize("beyond", ["empty", "error", "next"])
def test_a_gap_beyond_reach_is_lost_and_what_is_within_is_repaired(
    tmp_path: Path, beyond: Literal["empty", "error", "next"]
) -> None:
    first = REACH + 10
    rest = History(first, beyond=beyond)
    found = repaired(Lake(tmp_path), rest, 1, first + 100, LAST)
    assert found == [(2, first - 1, "lost"), (first, first + 99, "repaired"),
                     (first + 101, LAST - 1, "repaired")]  # fmt: skip


@pytest.mark.parametrize("beyond", ["empty", "error", "next"])
def test_a_gap_that_is_wholly_beyond_reach_is_lost(
    tmp_path: Path, beyond: Literal["empty", "error", "next"]
) -> None:
    rest = History(REACH + 10, beyond=beyond)
    found = repaired(Lake(tmp_path), rest, 1, 50, 52, LAST)
    assert found[:2] == [(2, 49, "lost"), (51, 51, "lost")]
    assert found[2] == (53, REACH + 9, "lost")
    assert found[3] == (REACH + 10, LAST - 1, "repaired")


def test_to_the_very_trade(tmp_path: Path) -> None:
    """The exchange has older trades than are asked for: the limit is ours, and is kept exactly."""
    found = repaired(Lake(tmp_path), History(1), 1, LAST)
    assert found == [(2, REACH - 1, "lost"), (REACH, LAST - 1, "repaired")]


def test_all_of_the_48_hours_are_used(tmp_path: Path) -> None:
    found = repaired(Lake(tmp_path), History(1), REACH - 1, LAST)
    assert found == [(REACH, LAST - 1, "repaired")]
    assert load_settings(None).collector.repair_hours == 48


def test_where_nothing_traded_since_the_newest_trade_tells(tmp_path: Path) -> None:
    """Another symbol tells what time it is; this one has not traded for days."""
    lake, rest = Lake(tmp_path), History(20, 30)

    async def scenario() -> None:
        async with repairing(lake, rest, 1, 25) as store:
            await until(lambda: not store.gaps.gaps())

    asyncio.run(scenario())
    assert rows_of(lake, GAPS) == [(2, 24, "lost")]


@pytest.mark.parametrize("beyond", ["empty", "error"])
def test_of_a_rest_that_is_behind_nothing_is_lost(
    tmp_path: Path, beyond: Literal["empty", "error"]
) -> None:
    """It has no answer for now, and the trades of two days are its newest ones."""
    lake = Lake(tmp_path)
    rest = History(LAST, LAST - 100, beyond)  # nothing at all

    async def scenario() -> None:
        async with repairing(lake, rest, LAST - 50, LAST - 20, LAST) as store:
            await until(lambda: len(rest.asked) >= 10)
            assert len(store.gaps.gaps()) == 2
            rest.first = LAST - 200  # behind, but there
            asked = len(rest.asked)
            await until(lambda: len(rest.asked) >= asked + 4)
            assert len(store.gaps.gaps()) == 2
            rest.last = LAST
            await until(lambda: not store.gaps.gaps())

    asyncio.run(scenario())
    found = rows_of(lake, GAPS)
    assert found == [(LAST - 49, LAST - 21, "repaired"), (LAST - 19, LAST - 1, "repaired")]


@pytest.mark.parametrize("says", ["empty", "error"])
def test_a_rest_that_has_no_trade_at_all_for_long_is_believed(
    tmp_path: Path, says: Literal["empty", "error"]
) -> None:
    """The symbol trades, and whatever REST is asked of it, its answer has nothing."""

    class Nothing(History):
        async def trades_since(self, symbol: str, start_ms: int, limit: int) -> list[TradeEvent]:
            return await self.trades_from(symbol, 0)

        async def latest_trades(self, symbol: str, limit: int) -> list[TradeEvent]:
            return await self.trades_from(symbol, 0)

    lake, rest = Lake(tmp_path), Nothing(LAST + 1, LAST, says)

    async def scenario() -> None:
        timing = replace(FAST, ask_again_cap=0.1, nothing_believed=1.0)
        async with repairing(lake, rest, LAST - 50, LAST - 20, timing=timing) as store:
            await until(lambda: not store.gaps.gaps())

    asyncio.run(scenario())
    assert rows_of(lake, GAPS) == [(LAST - 49, LAST - 21, "lost")]
    assert len(rest.asked) > 10, "before it was believed"


def test_an_empty_answer_about_an_old_gap_loses_nothing_that_is_within_reach(
    tmp_path: Path,
) -> None:
    """A REST that has trades by id and, for a moment, none by time."""
    lake = Lake(tmp_path)

    class Forgetful(History):
        empty = 5

        async def trades_since(self, symbol: str, start_ms: int, limit: int) -> list[TradeEvent]:
            self.empty -= 1
            return [] if self.empty >= 0 else await super().trades_since(symbol, start_ms, limit)

        async def latest_trades(self, symbol: str, limit: int) -> list[TradeEvent]:
            return [] if self.empty >= 0 else await super().latest_trades(symbol, limit)

    found = repaired(lake, Forgetful(1), 1, LAST)
    assert found == [(2, REACH - 1, "lost"), (REACH, LAST - 1, "repaired")]


def test_gaps_of_a_ticker_that_is_used_again_are_not_asked_for(tmp_path: Path) -> None:
    lake, rest = Lake(tmp_path), History(1)

    async def scenario() -> None:
        async with repairing(lake, rest, LAST - 50, LAST - 20) as store:
            store.contradictions.reused.add(A)
            await until(lambda: not store.gaps.gaps())

    asyncio.run(scenario())
    assert rows_of(lake, GAPS) == [(LAST - 49, LAST - 21, "lost")]
    assert rest.asked == []
