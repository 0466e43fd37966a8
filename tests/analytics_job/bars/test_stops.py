"""The bars of a symbol that left, or ended, stop; they begin anew where it is traded again."""

from pathlib import Path
from typing import Any

import pytest

from analytics_job.job import AnalyticsJob
from spreadlake.lake.analytics.definition import SeriesDefinition
from spreadlake.research.pair_series import computed_rows
from spreadlake.series import SeriesKey
from tests.analytics_job.harness import TestLake, settings
from tests.analytics_job.markets import EPOCH, walk
from tests.trades import Trade

LIMIT = 60  # job.break_minutes of these tests, in seconds
SYMBOLS = ["AUSDT", "BUSDT"]
CONFIG = settings(
    symbols=SYMBOLS,
    pairs=[SYMBOLS],
    timeframes=["1s", "1m"],
    windows=[20],
    lookbacks=[40],
    max_stale_bars=10,
    job={"break_minutes": LIMIT / 60},
)
LONG = walk(SYMBOLS, 1200, seed=3)
LEFT, BACK = 300, 900  # seconds after the first at which B leaves, and comes back


def at(second: int) -> int:
    return EPOCH + second


def of_b(low: int, high: int) -> list[Trade]:
    return [t for t in LONG if t.symbol == "BUSDT" and low <= t.time_ms // 1000 - EPOCH < high]


def trades(*of_b_too: Trade) -> list[Trade]:
    """A trades all the time, and B as given."""
    own = [t for t in LONG if t.symbol == "AUSDT"]
    return sorted([*own, *of_b_too], key=lambda t: t.time_ms)


def live(
    lake: TestLake, every: list[Trade], *changes: tuple[int, bool], restarts: bool = False
) -> None:
    """A job beside a collector: a step after each few seconds of trades; changes in between."""
    job, waiting = AnalyticsJob(lake.lake, CONFIG), list(changes)
    for low in range(0, len(every), 50):
        piece = every[low : low + 50]
        while waiting and at(waiting[0][0]) * 1000 <= piece[-1].time_ms:
            second, captured = waiting.pop(0)
            lake.change("BUSDT", at(second) * 1000, captured=captured)
        lake.store(piece)
        job.step()
        if restarts:
            job.close()
            job = AnalyticsJob(lake.lake, CONFIG)
    job.close()


def seconds_of_b(lake: TestLake, timeframe: str = "1s") -> list[int]:
    rows = lake.table("bars")
    return sorted(
        row["time"] - EPOCH
        for row in rows
        if row["symbol"] == "BUSDT" and row["timeframe"] == timeframe
    )


def status(lake: TestLake) -> dict[str, tuple[str, str]]:
    return {row["timeframe"]: (row["state"], row["message"]) for row in lake.table("pair_status")}


@pytest.fixture(name="lake")
def empty(tmp_path: Path) -> Any:
    lake = TestLake(tmp_path)
    yield lake
    lake.close()


def rebuilt(lake: TestLake) -> dict[str, Any]:
    job = AnalyticsJob(lake.lake, CONFIG)
    job.rebuild(None)
    job.step()
    job.close()
    return {**lake.tables(), "joins": lake.table("joins"), "stops": lake.table("stops")}


def test_they_stop_as_long_after_it_left_as_a_break_is(lake: TestLake) -> None:
    live(lake, trades(*of_b(0, LEFT)), (LEFT, False))
    first = min(t.time_ms for t in of_b(0, LEFT)) // 1000 - EPOCH
    assert seconds_of_b(lake) == list(range(first, LEFT + LIMIT))
    assert seconds_of_b(lake, "1m") == [60 * n for n in range((LEFT + LIMIT) // 60)]
    assert lake.table("stops") == [{"symbol": "BUSDT", "time": at(LEFT + LIMIT)}]
    told = "ended: no bars of BUSDT since 2023-11-14T22:06:00Z: it is not captured any more, or"
    for state, message in status(lake).values():
        assert (state, message[: len(told)]) == ("stale", told)
    rows = [row["time"] - EPOCH for row in lake.table("pair_analytics")]
    assert max(rows) < LEFT + LIMIT
    before = {**lake.tables(), "joins": lake.table("joins"), "stops": lake.table("stops")}
    assert rebuilt(lake) == before


@pytest.mark.parametrize("restarts", [False, True])
def test_where_trades_go_on_after_it_left_they_stop_after_the_last(
    lake: TestLake, restarts: bool
) -> None:
    """What was on its way, or an import: none of it is torn apart; nor is it by a restart."""
    every = trades(*of_b(0, LEFT), *of_b(LEFT + 30, LEFT + 200))
    live(lake, every, (LEFT, False), restarts=restarts)
    last = max(t.time_ms for t in of_b(0, LEFT + 200)) // 1000 - EPOCH
    assert seconds_of_b(lake)[-1] == last + LIMIT - 1
    assert len(lake.table("joins")) == 2


@pytest.mark.parametrize("late", [LEFT - 30, LEFT + 20, LEFT + 100, BACK - 30, BACK - 100])
def test_a_trade_that_comes_late_moves_the_stop_or_makes_another(lake: TestLake, late: int) -> None:
    """Before it stopped, while it was stopped, and so that it had not stopped at all."""
    held = of_b(0, LEFT - 60) + of_b(BACK, 1200)
    (trade,) = (of_b(late, late + 30) or of_b(late, late + 200))[:1]
    changes = ((LEFT, False), (BACK - 20, True))
    live(lake, [*trades(*held), trade], *changes)
    once = TestLake(lake.lake.root / "once")
    live(once, trades(*held, trade), *changes)
    for name in ("bars", "joins", "stops", "pair_analytics", "pair_status"):
        assert lake.table(name) == once.table(name), name
    stop = late_second(trade) + LIMIT if late > LEFT else LEFT + LIMIT
    assert [row["time"] - EPOCH for row in lake.table("stops")][-1:] == [stop] or late > BACK - 60
    once.close()


def late_second(trade: Trade) -> int:
    return trade.time_ms // 1000 - EPOCH


def test_without_a_word_of_its_leaving_they_go_on(lake: TestLake) -> None:
    """A halted symbol is away from nobody's list: its close is carried, and its pairs stale."""
    live(lake, trades(*of_b(0, LEFT), *of_b(BACK, 1200)))
    held = seconds_of_b(lake)
    assert held == list(range(held[0], held[-1] + 1))
    assert held[-1] > 1190
    assert lake.table("stops") == []


def test_one_that_is_back_in_time_was_never_away(lake: TestLake) -> None:
    live(lake, trades(*of_b(0, LEFT), *of_b(BACK, 1200)), (LEFT, False), (LEFT + 40, True))
    held = seconds_of_b(lake)
    assert held == list(range(held[0], held[-1] + 1))
    before = lake.table("bars")
    assert rebuilt(lake)["bars"] == before


def test_one_that_comes_back_begins_anew_and_nothing_is_carried_to_it(lake: TestLake) -> None:
    """Also as another contract by the same name, whose ids begin at 1."""
    new = [
        t._replace(trade_id=10_000 + n, price=7.0 + n % 5) for n, t in enumerate(of_b(BACK, 1200))
    ]
    live(lake, trades(*of_b(0, LEFT), *new), (LEFT, False), (BACK - 5, True))
    begin = new[0].time_ms // 1000 - EPOCH
    held = seconds_of_b(lake)
    assert [t for t in held if LEFT + LIMIT <= t < BACK + LIMIT] == list(range(begin, BACK + LIMIT))
    assert [row["time"] - EPOCH for row in lake.table("joins") if row["symbol"] == "BUSDT"] == [
        held[0], begin,
    ]  # fmt: skip
    state, message = status(lake)["1s"]
    assert (state, message) == ("ready", "ready: hedge ratio over 40 bars")
    # Rows after it are of bars after it alone.
    rows = [r for r in lake.table("pair_analytics") if r["timeframe"] == "1s"]
    after = [r for r in rows if r["time"] >= at(LEFT + LIMIT)]
    assert after[0]["time"] == at(begin + 19)
    assert [row["hedge_bars"] for row in after[:30]] == [min(20 + n, 40) for n in range(30)]
    have = {row["timeframe"]: row["bars_have"] for row in lake.table("pair_status")}
    assert have["1s"] == max(held) - begin + 1
    # Computed from the bars by a reader they are the same.
    key = SeriesKey("AUSDT/BUSDT", "1s", 20, 40)
    kalman = CONFIG.kalman
    definition = SeriesDefinition(10, kalman.delta, kalman.observation_variance)
    computed = [
        row for part in computed_rows(lake.lake, key, definition) for row in part.to_dicts()
    ]
    assert [row["time"] for row in computed] == [row["time"] for row in rows]
    assert [row["zscore"] for row in computed] == [row["zscore"] for row in rows]
    before = {**lake.tables(), "joins": lake.table("joins"), "stops": lake.table("stops")}
    assert rebuilt(lake) == before


def test_a_rebuild_of_a_part_stops_where_the_whole_does(lake: TestLake) -> None:
    live(lake, trades(*of_b(0, LEFT), *of_b(BACK, 1200)), (LEFT, False), (BACK - 5, True))
    before = {**lake.tables(), "joins": lake.table("joins"), "stops": lake.table("stops")}
    for second in (LEFT + LIMIT, LEFT + 30, LEFT + LIMIT + 100, BACK + 10):
        job = AnalyticsJob(lake.lake, CONFIG)
        job.rebuild(at(second))
        job.step()
        job.close()
        after = {**lake.tables(), "joins": lake.table("joins"), "stops": lake.table("stops")}
        assert after == before, second


def test_an_end_costs_nothing_once_it_is_past(lake: TestLake) -> None:
    """No bar is written of it, and nothing is read for it, however long the rest goes on."""
    live(lake, trades(*of_b(0, LEFT)), (LEFT, False))
    job = AnalyticsJob(lake.lake, CONFIG)
    read: list[str] = []
    stops = job._pipeline.bars.stops
    whole = stops._read

    def note(start: int, end: int, symbol: str) -> Any:
        read.append(symbol)
        return whole(start, end, symbol)

    stops._read = note
    more = walk(["AUSDT"], 60, seed=9, start=EPOCH + 1200)
    lake.store(t._replace(trade_id=t.trade_id + 10**6) for t in more)
    job.step()
    job.close()
    assert read == []
    assert seconds_of_b(lake)[-1] == LEFT + LIMIT - 1
