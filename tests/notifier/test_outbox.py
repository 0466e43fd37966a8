"""What is written down of alerts: nothing is lost by a rebuild, and what is over costs nothing."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from notifier.delivery import Delivery
from notifier.news import Message
from notifier.outbox import Outbox
from notifier.receivers import Receiver
from spreadlake.config.sections import NotifySettings
from spreadlake.lake import Lake, atomic, open_analytics_writer, open_notify_writer
from tests.fixture_lake import add_screen_alert

NOW = 1_800_000_000.0
PAGE = "http://127.0.0.1:9464"
SETTINGS = NotifySettings(group_seconds=0, interval=0)


class Mailbox:
    """Stands in for a receiver that takes everything, or nothing."""

    name, target, letters = "mailbox", "t", 30_000

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.takes = True

    def send(self, message: Message) -> bool:
        if self.takes:
            self.messages.append(message)
        return self.takes


class Room:
    """A lake's alerts and a notifier without a process around it."""

    def __init__(
        self,
        root: Path,
        settings: NotifySettings = SETTINGS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.alerts = open_analytics_writer(Lake(root))
        self.db = open_notify_writer(Lake(root))
        self.outbox = Outbox(self.db, ["t"], 3600.0)
        self.mailbox = Mailbox()
        self.delivery = Delivery(
            cast("Receiver", self.mailbox), self.outbox, settings, PAGE, monotonic
        )

    def open(self, number: int, at: float = NOW - 10, timeframe: str = "1s") -> None:
        with atomic(self.alerts):
            self.alerts.execute(
                "INSERT INTO alert_events(id, rule, pair, timeframe, window_bars, lookback_bars, "
                "threshold, opened_at, opened_zscore, peak_zscore) "
                "VALUES (?, 'z', ?, ?, 60, 300, 2, ?, 2.5, 2.5)",
                (number, f"S{number}/B", timeframe, int(at)),
            )
            self.alerts.execute(
                "INSERT OR IGNORE INTO alert_rules VALUES ('z', ?, ?, 60, 300, 2, '')",
                (f"S{number}/B", timeframe),
            )

    def find_anew(self, old: int, number: int, at: float, closed: float | None = None) -> None:
        """Event `old` is found again under another id, in a transaction as the job's."""
        with atomic(self.alerts):
            self.alerts.execute(
                "UPDATE alert_events SET id = ?, opened_at = ?, closed_at = ?, closed_zscore = "
                "iif(? IS NULL, NULL, 1) WHERE id = ?",
                (number, int(at), closed, closed, old),
            )

    def take_back(self) -> None:
        with atomic(self.alerts):
            self.alerts.execute("DELETE FROM alert_events")

    def open_and_lose_the_rule(self) -> None:
        """Event 1 is found and looked at, and a second later neither it nor a rule is there."""
        self.open(1)
        self.look()
        self.take_back()
        with atomic(self.alerts):
            self.alerts.execute("DELETE FROM alert_rules")
        self.look(NOW + 1)

    def look(self, now: float = NOW, closings: bool = True) -> None:
        """As the service does, once."""
        self.outbox.take_in(self.alerts, now, closings)
        if due := self.delivery.due(partial(self.outbox.alerts, self.alerts)):
            self.delivery.send(due)

    def close_event(self, at: float | None = NOW) -> None:
        """All events end, or are open again."""
        with atomic(self.alerts):
            self.alerts.execute("UPDATE alert_events SET closed_at = ?, closed_zscore = 1", (at,))

    def rows(self, table: str) -> int:
        return int(self.db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    @property
    def told(self) -> int:
        return len(self.mailbox.messages)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    room = Room(tmp_path)
    with closing(room.alerts), closing(room.db):
        yield room


def test_what_is_computed_again_before_it_was_sent_is_told(room: Room) -> None:
    """Its file was deleted, or a rebuild runs: for a while the event is not there."""
    room.open(1)
    room.outbox.take_in(room.alerts, NOW, True)
    room.take_back()
    room.look()
    assert room.told == 0
    room.open(1)
    room.look()
    room.look()
    assert room.told == 1


def test_the_end_of_an_event_that_is_open_again_waits_for_its_end(room: Room) -> None:
    """A rebuild finds an event piece by piece, and a late trade may move its end."""
    room.open(1)
    room.look()
    room.close_event()
    room.outbox.take_in(room.alerts, NOW, True)
    room.close_event(None)
    room.look()
    assert room.told == 1, "only that it opened"
    room.close_event()
    room.look()
    assert room.told == 2
    assert "back" in room.mailbox.messages[-1].body


def test_what_opened_and_ended_before_it_was_told_is_one_line(room: Room) -> None:
    room.open(1)
    room.outbox.take_in(room.alerts, NOW, True)
    room.close_event(NOW + 5)
    room.look()
    room.look()
    (message,) = room.mailbox.messages
    assert message.title == "S1/B short the spread: z +2.50"
    assert "back after 15 s: z +1.00" in message.body
    assert len(message.body.splitlines()) == 2
    assert room.outbox.waiting("t") == []


def test_it_says_how_far_the_spread_was_and_how_fast_it_comes_back(room: Room) -> None:
    """The row of the bar that opened it, and the last test before; in bps of A, raw or log."""
    key, at = ("S1/B", "1s", 60, 300), int(NOW - 10)
    room.open(1)
    with atomic(room.alerts):
        for time, spread, prices in ((at - 1, 9.0, None), (at, 0.5, None), (at + 1, 9.0, None)):
            room.alerts.execute(
                "INSERT INTO pair_analytics(pair, timeframe, window_bars, lookback_bars, time, "
                "symbol_a, symbol_b, price_a, price_b, spread, spread_mean, prices) "
                "VALUES (?, ?, ?, ?, ?, 'S1', 'B', 250.0, 1, ?, 0.2, ?)",
                (*key, time, spread, prices),
            )
        for time, half_life in ((at - 70, 9.0), (at - 10, 14.06), (at + 20, 99.0)):
            room.alerts.execute(
                "INSERT INTO pair_tests(pair, timeframe, lookback_bars, time, half_life, "
                "observations) VALUES ('S1/B', '1s', 300, ?, ?, 300)",
                (time, half_life),
            )
    room.look()
    told = "z +2.50, threshold 2, spread +2.50σ = +12.0 bps, half-life 14.1 bars (rule z"
    assert told in room.mailbox.messages[0].body
    with atomic(room.alerts):
        room.alerts.execute("UPDATE pair_analytics SET prices = 'log', spread = 0.2012")
    (alert,) = room.outbox.alerts(room.alerts, [1]).values()
    assert (alert.prices, round(alert.spread_bps or 0, 6)) == ("log", 12.0)


def test_what_a_screen_opened_is_told_with_what_it_said(room: Room) -> None:
    """Also where no rule on pairs watches that timeframe."""
    with atomic(room.alerts):
        add_screen_alert(room.alerts, 9, "A/B", int(NOW - 90), -2.5, edge_bps=8.0, half_life=3.0)
    room.look()
    assert room.told == 1
    assert (
        "A/B long the spread: z -2.50, threshold 2.25, edge 8.0 bps after costs, half-life 3.0 bars"
    ) in room.mailbox.messages[0].body
    room.close_event()
    room.look()
    assert "A/B back: z +1.00" in room.mailbox.messages[-1].body


def test_a_lake_from_before_screens_had_alerts_is_told_of(room: Room) -> None:
    with atomic(room.alerts):
        room.alerts.execute("DROP TABLE screen_alerts")
        room.alerts.execute("DROP TABLE screen_rules")
    room.open(1)
    room.look()
    assert room.told == 1


def test_what_was_taken_back_holds_up_no_grouping(tmp_path: Path) -> None:
    now = 0.0
    room = Room(tmp_path, NotifySettings(group_seconds=5, interval=0), lambda: now)
    with closing(room.alerts), closing(room.db):
        room.open(1)
        room.outbox.take_in(room.alerts, NOW, True)
        room.take_back()
        room.look()
        now = 100.0
        room.open(2)
        room.look()
        assert room.told == 0, "the others that open within five seconds come in one message"
        room.open(3)
        now = 105.0
        room.look()
    assert room.told == 1
    assert all(f"S{number}/B" in room.mailbox.messages[0].body for number in (2, 3))


def test_what_was_taken_back_for_good_waits_no_longer(room: Room) -> None:
    room.open(1)
    room.outbox.take_in(room.alerts, NOW, True)
    room.take_back()
    room.look()
    assert len(room.outbox.waiting("t")) == 1
    room.outbox.forget_old(room.alerts, NOW + 3000)
    assert len(room.outbox.waiting("t")) == 1
    room.outbox.forget_old(room.alerts, NOW + 3700)
    assert room.outbox.waiting("t") == []


def test_what_waits_for_a_receiver_that_is_away_is_kept_however_long(room: Room) -> None:
    room.open(1)
    room.outbox.take_in(room.alerts, NOW, True)
    room.outbox.forget_old(room.alerts, NOW + 40 * 86_400)
    room.look(NOW + 40 * 86_400)
    assert room.told == 1


@pytest.mark.parametrize("at", [NOW - 2_000, NOW - 30, NOW - 7])
def test_an_event_that_another_bar_opens_now_is_told_once(room: Room, at: float) -> None:
    """A late trade, an edited rule, or a new version's default moves its opening."""
    room.open(1)
    room.look()
    room.find_anew(1, 2, at)
    room.look(NOW + 1)
    room.look(NOW + 2)
    assert room.told == 1
    room.find_anew(2, 3, at + 1)
    room.look(NOW + 3)
    room.close_event()
    room.look(NOW + 4)
    room.look(NOW + 5)
    assert room.told == 2, "and its end once"
    assert "back" in room.mailbox.messages[-1].body


def test_so_is_one_that_a_notifier_of_before_told(room: Room) -> None:
    """Its record says neither where nor when: the event does, for as long as it is there."""
    room.open(1)
    room.look()
    with atomic(room.db):
        room.db.execute("DELETE FROM openings")
    room.look(NOW + 1)
    room.find_anew(1, 2, NOW - 5)
    room.look(NOW + 2)
    assert room.told == 1


def test_one_that_is_over_is_not_told_again_either(room: Room) -> None:
    room.open(1, NOW - 60)
    room.look()
    room.close_event(NOW - 20)
    room.look()
    assert room.told == 2
    room.find_anew(1, 2, NOW - 58, NOW - 22)
    room.look()
    assert room.told == 2


def test_what_waits_is_told_as_it_is_found_again(room: Room) -> None:
    room.open(1)
    room.outbox.take_in(room.alerts, NOW, True)
    room.find_anew(1, 2, NOW - 9)
    room.look()
    room.look()
    assert room.told == 1
    assert room.outbox.waiting("t") == []


def test_one_that_a_rebuild_took_back_for_a_while_is_told_once(room: Room) -> None:
    room.open(1)
    room.look()
    room.take_back()
    room.look(NOW + 1)
    with atomic(room.alerts):
        room.alerts.execute(
            "INSERT INTO alert_events VALUES (2, 'z', 'S1/B', '1s', 60, 80, 2, ?, 2, 2, ?, ?)",
            (int(NOW - 8), None, None),
        )
    room.look(NOW + 200)
    assert room.told == 1


def test_another_event_of_the_pair_is_another(room: Room) -> None:
    """One that opened once the first was gone, or that does not overlap it, or of another rule."""
    room.open(1)
    room.look()
    room.take_back()
    room.look(NOW + 1)
    events = [(2, "z", NOW + 5, None), (3, "z", NOW - 40, NOW - 30), (4, "y", NOW - 9, None)]
    with atomic(room.alerts):
        room.alerts.executemany(
            "INSERT INTO alert_events VALUES (?, ?, 'S1/B', '1s', 60, 300, 2, ?, 2, 2, ?, 1)",
            [(number, rule, int(at), end) for number, rule, at, end in events],
        )
    room.look(NOW + 10)
    assert len(room.mailbox.messages[-1].body.splitlines()) == 6


def test_the_end_of_an_event_whose_rule_was_taken_away_is_told(room: Room) -> None:
    """At once but for the time in which a configuration is saved anew."""
    room.open_and_lose_the_rule()
    room.look(NOW + 60)
    assert room.told == 1, "the rule may come back"
    room.look(NOW + 62)
    assert room.told == 2
    message = room.mailbox.messages[-1]
    assert message.title == "S1/B no alert any more (its rule or bars changed): z reached +2.50"
    assert "2027-01-15T08:01:0" in message.body
    room.outbox.forget_old(room.alerts, NOW + 4000)
    room.look(NOW + 4000)
    assert room.told == 2
    assert room.rows("openings") == 0


def test_so_is_that_of_one_that_an_edited_rule_does_not_find(room: Room) -> None:
    """While its rule is there a rebuild may run, which would find it again."""
    room.open(1)
    room.look()
    room.take_back()
    room.look(NOW + 1)
    room.look(NOW + 3600)
    assert room.told == 1
    room.look(NOW + 3602)
    assert room.told == 2


def test_the_end_of_a_withdrawn_event_waits_for_a_receiver_that_is_away(tmp_path: Path) -> None:
    moment = 0.0
    room = Room(tmp_path, monotonic=lambda: moment)
    with closing(room.alerts), closing(room.db):
        room.open_and_lose_the_rule()
        room.mailbox.takes = False
        room.look(NOW + 62)
        room.outbox.forget_old(room.alerts, NOW + 9_000)
        room.mailbox.takes, moment = True, 1_000.0
        room.look(NOW + 9_001)
        assert [message.title[:4] for message in room.mailbox.messages] == ["S1/B", "S1/B"]


def test_a_withdrawn_event_that_nobody_was_told_of_is_not_told(tmp_path: Path) -> None:
    moment = 0.0
    room = Room(tmp_path, NotifySettings(group_seconds=100, interval=0), lambda: moment)
    with closing(room.alerts), closing(room.db):
        room.open_and_lose_the_rule()
        room.look(NOW + 62)
        moment = 200.0
        room.look(NOW + 70)
        room.look(NOW + 80)
        assert room.told == 0
        assert room.rows("news") == 0


def test_one_that_comes_back_is_not_told_again(room: Room) -> None:
    room.open_and_lose_the_rule()
    room.look(NOW + 62)
    room.open(1)
    room.look(NOW + 63)
    room.look(NOW + 64)
    assert room.told == 2


def test_what_nobody_awaits_is_forgotten(room: Room) -> None:
    room.open(1)
    room.open(2)
    room.look()
    assert room.rows("openings") == 2
    room.outbox.forget_old(room.alerts, NOW + 4000)
    assert room.rows("openings") == 2, "their ends are to be told"
    room.close_event()
    room.look()
    room.outbox.forget_old(room.alerts, NOW + 4000)
    assert room.rows("openings") == 0


@pytest.mark.parametrize(("timeframe", "seconds"), [("1s", 1), ("1h", 3600), ("24h", 86_400)])
def test_age_counts_from_the_end_of_the_bar(room: Room, timeframe: str, seconds: int) -> None:
    room.open(1, NOW - 3600 - seconds - 1, timeframe)
    room.look()
    assert room.told == 0
    room.open(2, NOW - 3600 - seconds, timeframe)
    room.look()
    assert room.told == 1


def test_ends_that_nobody_wanted_are_not_told_later(room: Room) -> None:
    room.open(1)
    room.look(closings=False)
    room.close_event()
    room.look(closings=True)
    assert room.told == 1


def test_what_is_over_costs_nothing(room: Room) -> None:
    few, many = _cost(room), 20_000
    with atomic(room.db):
        for what in ("opened", "closed"):
            room.db.executemany(
                "INSERT INTO news(event_id, what, target, state, seen_ms, told_ms, over) "
                "VALUES (?, ?, 't', 'told', ?, ?, 1)",
                [(n, what, int(NOW * 1000), int(NOW * 1000)) for n in range(100, many)],
            )
    with atomic(room.alerts):
        room.alerts.executemany(
            "INSERT INTO alert_events VALUES (?, 'z', 'A/B', '1s', 60, 300, 2, ?, 2, 2, ?, 1)",
            [(n, int(NOW - 86_400 - n), int(NOW - 86_000 - n)) for n in range(100, many)],
        )
    assert _cost(room) < 10 * few, "two hundred times as much is over"


def _cost(room: Room) -> int:
    """Steps of SQLite's machine, a hundred at a time, that a look takes."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    databases: list[sqlite3.Connection] = [room.alerts, room.db]
    for db in databases:
        db.set_progress_handler(count, 100)
    room.open(1 + len(room.mailbox.messages))
    for _ in range(10):
        room.look()
    for db in databases:
        db.set_progress_handler(None, 0)
    return max(steps, 10)
