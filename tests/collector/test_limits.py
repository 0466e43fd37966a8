"""Limits, to the very number: what would be one too far goes wrong here."""

import asyncio
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection

from collector.history.warm_start import WarmStart
from collector.repair.attempts import RepairAttempts
from collector.resources import Resources
from collector.rest import WeightBudget
from collector.roll import finished_before, next_roll_ms
from collector.storage.batch import Batch
from collector.storage.store import TickStore
from collector.storage.writer import WriterThread
from collector.stream.silence import Rhythm, SilenceDetector
from collector.symbols.roster import Roster
from spreadlake.backoff import Backoff
from spreadlake.config import load_settings
from spreadlake.lake import HOUR_MS, Lake, atomic
from spreadlake.lake.ticks.gaps import Gap
from spreadlake.lake.ticks.id_ranges import HeldIds, absorb
from spreadlake.lake.ticks.rolls import Roll, record_rolls
from spreadlake.trades import IdRange
from spreadlake.venue import Kline
from tests.collector.fake import FakeServer, fake_server, frame
from tests.collector.lakes import A, quick_writer, rows_of, trade, trades
from tests.collector.live import FAST, collecting, counter, settings_for, ticks, until, way
from tests.collector.repair.test_reach import History
from tests.lake.ticks.test_id_ranges import array

NEVER = float("-inf")


def test_no_sequence_number_is_given_twice_whichever_rows_of_an_hour_roll_last(
    tmp_path: Path,
) -> None:
    with closing(quick_writer(Lake(tmp_path))) as db:
        for rows, max_seq in ((10, 100), (12, 50)):
            with atomic(db):
                record_rolls(db, [Roll(A, 0, rows, max_seq)], 1)
        assert db.execute("SELECT rows, max_seq FROM rolls").fetchall() == [(12, 100)]
        TickStore(db, [A]).write(Batch(trades([1])))
        assert db.execute("SELECT seq FROM ticks").fetchall() == [(101,)]


def test_the_budget_remembers_a_whole_minute() -> None:
    budget = WeightBudget(100)
    budget.spend(100, 0.0)
    for now in (0.0, 29.0, 31.0, 59.9):
        assert budget.delay(1, now) == pytest.approx(60.0 - now)
    assert budget.delay(1, 60.0) == 0.0


def test_a_shorter_ban_does_not_shorten_a_longer_one() -> None:
    budget = WeightBudget(100)
    budget.block(60.0, 0.0)
    budget.block(5.0, 1.0)
    assert budget.delay(1, 2.0) == 58.0
    budget.block(100.0, 3.0)
    assert budget.delay(1, 3.0) == 100.0


class WithoutKlines(History):
    async def klines(
        self, symbol: str, interval: str, limit: int, end_ms: int | None = None
    ) -> list[Kline]:
        return []


def test_history_begins_with_the_first_millisecond_of_its_first_bar(tmp_path: Path) -> None:
    lake, settings = Lake(tmp_path), load_settings(None, symbols=[A], pairs=[])

    async def scenario() -> None:
        with closing(quick_writer(lake)) as db:
            store, writer = TickStore(db, [A]), WriterThread(lake.ticks_db, 0.2)
            resources = Resources(
                settings, lake, store, writer, WithoutKlines(0, 600), FAST, Roster([A]), way("")
            )
            store.write(Batch(trades([600])))
            # As a start left it that was interrupted: back to the time of trade 555.
            store.write_status({"warm_start": {"klines": [], "trades": {A: trade(555).time_ms}}})
            running = asyncio.create_task(WarmStart(resources).run())
            await until(lambda: store.first_id(A) != 600)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            writer.close()

    asyncio.run(scenario())
    assert rows_of(lake, "SELECT min(trade_id), count(*) FROM ticks") == [(555, 46)]


def test_a_connection_that_drops_while_its_successor_is_opened_is_the_cause_of_the_gap(
    tmp_path: Path,
) -> None:
    refused = asyncio.Event()

    async def behave(fake: FakeServer, connection: ServerConnection) -> None:
        if fake.status is None and len(fake.paths) > 1:
            await connection.send(frame(10))
            await connection.wait_closed()
            return
        for trade_id in (1, 2, 3):
            await connection.send(frame(trade_id))
        fake.status = 503
        await refused.wait()

    async def scenario() -> None:
        lake = Lake(tmp_path)
        async with fake_server(behave) as fake:
            settings = settings_for(fake, connection_hours=0.5 / 3600, silence_seconds=3600.0)
            settings = settings.model_copy(update={"symbols": [A]})
            patient = replace(FAST, disorder=3600.0)
            async with collecting(lake, settings, patient):
                await until(lambda: len(fake.paths) >= 2 and ticks(lake) == 3)
                refused.set()  # the old connection ends, and the new one is not there yet
                asked = len(fake.paths)
                await until(lambda: len(fake.paths) >= asked + 2)
                fake.status = None
                await until(lambda: ticks(lake) == 4)
            assert counter(lake, "reconnects") >= 1
        query = "SELECT first_id, last_id, cause FROM gaps"
        assert rows_of(lake, query) == [(4, 9, "reconnect")]

    asyncio.run(scenario())


def test_a_delay_is_drawn_from_the_upper_half_of_its_step() -> None:
    class Least:
        def uniform(self, low: float, high: float) -> float:
            return low

    backoff = Backoff(1.0, 8.0, Least())  # type: ignore[arg-type]
    assert [backoff.next() for _ in range(5)] == [0.5, 1.0, 2.0, 4.0, 4.0]
    backoff.reset()
    assert backoff.next() == 0.5


def test_patience_doubles_seven_times_and_ends_at_its_last_moment() -> None:
    rhythm = Rhythm(0.0, questions=6)
    assert rhythm.allowed_silence(30.0) == 30.0 * 64
    rhythm.questions = 50
    assert rhythm.allowed_silence(30.0) == 30.0 * 128
    detector = SilenceDetector([A], 30.0, 0.0)
    assert detector.silent([A], NEVER, 30.0) == []
    assert detector.silent([A], NEVER, 30.1) == [A]


def test_the_rhythm_is_a_moving_average_of_the_time_between_trades() -> None:
    rhythm = Rhythm(0.0)
    rhythm.observe(2, 10.0)
    assert rhythm.interval == 5.0
    rhythm.observe(1, 20.0)
    assert rhythm.interval == pytest.approx(6.0)
    assert rhythm.allowed_silence(1.0) == pytest.approx(120.0)


def test_what_is_known_since_a_moment_is_known_at_that_moment() -> None:
    detector = SilenceDetector([A], 30.0, 0.0)
    assert not detector.confirmed_since(A, 0.0)
    detector.questioned(A, 7.0)
    assert detector.confirmed_since(A, 7.0)
    assert not detector.confirmed_since(A, 7.1)


def test_ids_at_the_edges_of_holes_and_of_what_is_held() -> None:
    held = HeldIds(10, 20, (IdRange(12, 12), IdRange(15, 17)))
    found = absorb(held, array(9, 10, 11, 12, 13, 14, 15, 17, 18, 20, 21))
    expected = [9, 12, 15, 17, 21]
    assert array(9, 10, 11, 12, 13, 14, 15, 17, 18, 20, 21)[found.fresh].tolist() == expected
    assert found.held == HeldIds(9, 21, (IdRange(16, 16),))
    assert found.opened == ()


def test_an_hour_is_finished_at_its_end_and_rolls_when_the_next_ones_are() -> None:
    end = 3 * HOUR_MS
    assert finished_before(end - 1, 0) == 2 * HOUR_MS
    assert finished_before(end, 0) == end
    assert finished_before(end, 2) == HOUR_MS
    assert next_roll_ms(end, 2) == 4 * HOUR_MS


def test_a_gap_is_asked_for_ever_more_seldom_until_something_of_it_comes() -> None:
    attempts, gap = RepairAttempts(1.0, 4.0), Gap(1, A, IdRange(5, 9), 0, "jump")
    assert attempts.is_due(gap, 0.0)
    for waited in (1.0, 2.0, 4.0, 4.0):
        attempts.note_in_vain(gap, 0.0)
        assert not attempts.is_due(gap, waited - 0.01)
        assert attempts.is_due(gap, waited)
    assert attempts.in_vain(gap) == 4
    assert attempts.note_filled(gap, 2) == 2
    rest = replace(gap, range=IdRange(7, 9))
    assert attempts.in_vain(rest) == 0
    assert attempts.note_filled(rest, 3) == 5


def test_ids_are_not_there_once_three_answers_pass_over_them() -> None:
    attempts, gap = RepairAttempts(1.0, 4.0), Gap(1, A, IdRange(5, 9), 0, "jump")
    assert [attempts.note_absent(gap, IdRange(5, 6), 0.0) for _ in range(4)] == [
        False, False, True, False,
    ]  # fmt: skip


def test_attempts_at_more_gaps_than_are_remembered_are_forgotten() -> None:
    attempts = RepairAttempts(1.0, 4.0)
    gaps = [Gap(i, A, IdRange(i, i), i, "jump") for i in range(10_001)]
    for gap in gaps[:-1]:
        attempts.note_in_vain(gap, 0.0)
    attempts.forget(everything=False)
    assert attempts.in_vain(gaps[0]) == 1
    attempts.note_in_vain(gaps[-1], 0.0)
    attempts.forget(everything=False)
    assert attempts.in_vain(gaps[0]) == 0
