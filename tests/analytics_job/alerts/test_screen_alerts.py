"""Alerts on the live screen, with the real job: every event is that of the screens it took."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import polars as pl
import pytest

from analytics_job.alerts.screened import screen_rules
from analytics_job.job import AnalyticsJob
from spreadlake.config import Settings
from spreadlake.lake import atomic, open_analytics_writer
from spreadlake.quant.alerts import event_id
from spreadlake.quant.screen_alerts import ScreenEvent, scan_screen
from tests.analytics_job import harness
from tests.analytics_job.markets import EPOCH, walk
from tests.trades import Trade

SYMBOLS = ["AUSDT", "BUSDT", "CUSDT", "DUSDT", "EUSDT"]
TRADES = walk(SYMBOLS, 900, seed=11, per_second=0.8, start=EPOCH)
SCREEN = {"enabled": True, "timeframe": "5s", "lookback": 40, "window": 20, "interval": 15}
LOOSE = {"name": "wide", "on": "screen", "threshold": 1.2, "max_qvalue": 1.0, "min_edge_bps": -1e6}
LOOSE |= {"quiet_seconds": 0}
STRICT = LOOSE | {"name": "few", "close_below": 0.4, "max_open": 1, "min_edge_bps": 1.0}
QUIET = LOOSE | {"name": "quiet", "quiet_seconds": 120}
NAMES = ("few", "quiet", "wide")
SECONDS = range(240, 900, 15)
KEY = {"timeframe": "5s", "window_bars": 20, "lookback_bars": 40}


def settings(rules: Sequence[dict[str, Any]] = (LOOSE, STRICT, QUIET), **values: Any) -> Settings:
    usual = {"symbols": SYMBOLS, "pairs": [], "timeframes": ["1s", "5s"], "windows": [20]}
    screen = {"lookbacks": [40], "max_stale_bars": 20, "screen": SCREEN}
    return harness.settings(**(usual | screen | {"alerts": list(rules)} | values))


def here(work: Callable[..., Any], *arguments: object) -> Any:
    """In place of the process beside the steps."""
    return work(*arguments)


class Screening:
    """A lake, and the job that screens it; the screens that were taken."""

    def __init__(self, root: Path) -> None:
        self.lake = harness.TestLake(root)
        self.frames: list[tuple[int, pl.DataFrame]] = []
        self._stored = 0

    def start(self, config: Settings) -> AnalyticsJob:
        job = AnalyticsJob(self.lake.lake, config)
        job.start_beside()
        assert job._screener is not None
        # In this process: what it computes is the same, and it is there at once.
        job._screener._process.compute = here  # type: ignore[method-assign]
        return job

    def stop(self, job: AnalyticsJob) -> None:
        job.stop_beside()
        job.close()

    def until(self, seconds: int, trades: Sequence[Trade] = TRADES) -> None:
        """Stores the trades up to so many seconds after the beginning, and some more."""
        end = (EPOCH + seconds) * 1000 + 2_000
        ready = [trade for trade in trades if trade.time_ms <= end]
        self.lake.store(ready[self._stored :])
        self._stored = len(ready)

    def screen(self, job: AnalyticsJob) -> None:
        job.step()
        job.run_screens()
        job.step()
        if self.lake.lake.latest_screen.exists():
            rows = pl.read_parquet(self.lake.lake.latest_screen)
            time = rows["time"][0]
            if not self.frames or self.frames[-1][0] != time:
                self.frames.append((time, rows))

    def events(self) -> list[dict[str, Any]]:
        """Rows of `alert_events` with what the screen said of each."""
        said = {row["event_id"]: row for row in self.lake.table("screen_alerts")}
        rows = [row | said.get(row["id"], {}) for row in self.lake.table("alert_events")]
        return sorted(rows, key=lambda row: (row["rule"], row["opened_at"], row["pair"]))


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Screening]:
    one = Screening(tmp_path)
    yield one
    one.lake.close()


def expected(config: Settings, frames: Sequence[tuple[int, pl.DataFrame]]) -> list[dict[str, Any]]:
    """The events of these screens, by the machine alone."""
    rows = []
    for rule in screen_rules(config):
        found: dict[tuple[str, int], ScreenEvent] = {}
        for time, frame in frames:
            events = scan_screen(list(found.values()), frame, time, rule.levels).events
            found |= {(one.pair, one.event.opened_at): one for one in events}
        rows += [as_row(rule.name, rule.levels.threshold, one) for one in found.values()]
    return sorted(rows, key=lambda row: (row["rule"], row["opened_at"], row["pair"]))


def as_row(rule: str, threshold: float, one: ScreenEvent) -> dict[str, Any]:
    number = event_id(rule, one.pair, "5s", 20, 40, one.event.opened_at)
    key = {"id": number, "event_id": number, "rule": rule, "pair": one.pair, **KEY}
    said = {name: getattr(one, name) for name in ("qvalue", "edge_bps", "half_life", "persistence")}
    event = {name: value for name, value in vars(one.event).items() if name != "series"}
    return key | {"threshold": threshold, "seen_at": one.seen_at} | event | said


def test_events_are_those_of_the_screens_however_often_the_job_is_started(room: Screening) -> None:
    job = room.start(settings())
    for seconds in SECONDS:
        room.until(seconds)
        room.screen(job)
        if seconds % 60 == 0:  # a restart goes on with those that are open
            room.stop(job)
            job = room.start(settings())
    assert len(room.frames) == len(SECONDS)
    events = room.events()
    assert events == expected(settings(), room.frames)
    assert len([one for one in events if one["rule"] == "wide" and one["closed_at"]]) > 5
    assert len([one for one in events if one["rule"] == "few"]) > 1
    counted = {row["rule"]: row["opened"] for row in room.lake.table("screen_rules")}
    assert counted == {rule: sum(one["rule"] == rule for one in events) for rule in NAMES}
    for rule in NAMES:
        still = [one for one in events if one["rule"] == rule and one["closed_at"] is None]
        assert len({frozenset(one["pair"].split("/")) for one in still}) == len(still)
    room.stop(job)


def test_the_whole_screen_counts_and_not_what_is_kept_of_it(room: Screening) -> None:
    config = settings([LOOSE | {"max_open": 10}], screen=SCREEN | {"top": 1})
    job = room.start(config)
    for seconds in SECONDS[:12]:
        room.until(seconds)
        room.screen(job)
    kept = {(row["symbol_a"], row["symbol_b"]) for row in room.lake.table("screen_pairs")}
    events = room.events()
    assert events == expected(config, room.frames)
    assert {tuple(one["pair"].split("/")) for one in events} - kept
    room.stop(job)


def test_what_finds_no_place_is_told(room: Screening) -> None:
    config = settings([LOOSE | {"threshold": 0.01, "max_open": 2}])
    job = room.start(config)
    room.until(300)
    room.screen(job)
    (rule,) = room.lake.table("screen_rules")
    rows = room.frames[0][1]
    more = rows.filter(pl.col("zscore").abs() > 0.01).height - 2
    assert more > 5
    assert (rule["opened"], rule["left_out"]) == (2, more)
    told = f"{more} more pairs than may have an open alert of rule wide (max_open 2)"
    assert told in job.heartbeat.screen
    room.stop(job)


def test_a_symbol_that_is_silent_ends_its_events_after_an_hour(
    room: Screening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spreadlake.quant.screen_alerts.UNSEEN_SECONDS", 60)
    silent = [t for t in TRADES if t.symbol != "AUSDT" or t.time_ms < (EPOCH + 300) * 1000]
    config = settings([LOOSE | {"threshold": 0.3, "close_below": 0.0001}])
    job = room.start(config)
    for seconds in range(240, 600, 15):
        room.until(seconds, silent)
        room.screen(job)
    assert room.events() == expected(config, room.frames)
    ended = [one for one in room.events() if one["closed_at"] and one["closed_zscore"] is None]
    assert ended
    assert all("AUSDT" in one["pair"].split("/") for one in ended)
    assert {one["closed_at"] - one["seen_at"] for one in ended} == {60}
    room.stop(job)


def test_a_rebuild_leaves_them_as_they_are(room: Screening) -> None:
    rule = {"name": "z", "timeframe": "5s", "window": 20, "threshold": 1.5}
    pairs = [["AUSDT", "BUSDT"], ["CUSDT", "DUSDT"]]
    config = settings([LOOSE, rule], pairs=pairs)
    job = room.start(config)
    for seconds in SECONDS[:20]:
        room.until(seconds)
        room.screen(job)
    before, counts = room.events(), room.lake.table("alert_counts")
    assert {one["rule"] for one in before} == {"wide", "z"}
    assert [one for one in before if one["rule"] == "wide" and one["closed_at"] is None]
    for start in (EPOCH + 300, None):
        job.rebuild(start)
        assert room.events() == before
        assert room.lake.table("alert_counts") == counts
    room.stop(job)


def test_a_rule_that_has_gone_leaves_its_events_and_none_that_is_open(room: Screening) -> None:
    job = room.start(settings())
    for seconds in SECONDS[:14]:
        room.until(seconds)
        room.screen(job)
    before = room.events()
    assert {one["rule"] for one in before if one["closed_at"] is None} == set(NAMES)
    job.configure(settings([LOOSE]))
    after = room.events()
    for old, new in zip(before, after, strict=True):
        gone = old["rule"] != "wide" and old["closed_at"] is None
        assert new == old | ({"closed_at": old["seen_at"]} if gone else {})
    assert [row["rule"] for row in room.lake.table("screen_rules")] == ["wide"]
    job.configure(settings([LOOSE], screen=SCREEN | {"window": 10}))  # other screens
    assert not [one for one in room.events() if one["closed_at"] is None]
    job.configure(settings([], screen=SCREEN | {"enabled": False}))
    assert room.lake.table("screen_rules") == []
    assert len(room.events()) == len(before)
    room.stop(job)


def test_an_edited_rule_goes_on_with_those_that_are_open(room: Screening) -> None:
    job = room.start(settings([LOOSE]))
    for seconds in SECONDS[:10]:
        room.until(seconds)
        room.screen(job)
    before = {one["id"] for one in room.events() if one["closed_at"] is None}
    assert before
    job.configure(settings([LOOSE | {"threshold": 9.0, "close_below": 0.01}]))
    room.until(SECONDS[10])
    room.screen(job)
    assert {one["id"] for one in room.events() if one["closed_at"] is None} == before
    room.stop(job)


def test_what_was_found_for_a_rule_before_an_edit_counts_for_nothing(room: Screening) -> None:
    job = room.start(settings([LOOSE]))
    room.until(300)
    job.step()
    job.run_screens()  # taken, and not stored yet
    job.configure(settings([LOOSE | {"threshold": 9.0}]))
    job.step()
    assert len(room.lake.table("screens")) == 1
    assert room.events() == []
    room.stop(job)


def test_an_event_that_ended_with_its_rule_does_not_go_on(room: Screening) -> None:
    """The screen that was under way when the rule went, and came again, knew it as open."""
    config = settings([LOOSE | {"close_below": 0.0001}])
    job = room.start(config)
    room.until(300)
    room.screen(job)
    room.until(360)
    job.step()
    job.run_screens()  # taken, and not stored yet
    job.configure(settings([]))
    ended = room.events()
    assert ended
    assert {one["closed_at"] for one in ended} == {EPOCH + 295}
    job.configure(config)
    job.step()
    assert len(room.lake.table("screens")) == 2
    before = {one["id"]: one for one in room.events() if one["opened_at"] == EPOCH + 295}
    assert list(before.values()) == [
        one | {"seen_at": before[one["id"]]["seen_at"]} for one in ended
    ]
    room.stop(job)


def test_a_rule_of_one_name_on_screens_and_then_on_pairs_keeps_both(room: Screening) -> None:
    pairs = [["AUSDT", "BUSDT"], ["CUSDT", "DUSDT"]]
    on_pairs = {"name": "wide", "timeframe": "5s", "window": 20, "threshold": 1.0}
    job = room.start(settings([LOOSE], pairs=pairs))
    for seconds in SECONDS[:14]:
        room.until(seconds)
        room.screen(job)
    screened = room.events()
    job.configure(settings([on_pairs], pairs=pairs))
    ids = {one["event_id"] for one in room.lake.table("screen_alerts")}
    assert {one["id"] for one in screened} == ids
    every = room.events()
    assert ids < {one["id"] for one in every}
    job.configure(settings([on_pairs | {"threshold": 1.1}], pairs=pairs))
    assert ids < {one["id"] for one in room.events()}
    room.stop(job)


def test_a_screen_and_its_alerts_are_stored_all_or_nothing(
    room: Screening, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = room.start(settings([LOOSE | {"threshold": 0.01}]))
    room.until(300)
    job.step()
    job.run_screens()
    for where in (
        "analytics_job.screens.store.newest_screens",
        "analytics_job.alerts.screened._id",
    ):
        with monkeypatch.context() as cut:
            cut.setattr(where, broken)
            job.step()
        assert "trying again" in job.error, where
        for table in ("screens", "screen_pairs", "alert_events", "screen_alerts"):
            assert room.lake.table(table) == [], where
        assert [row["opened"] for row in room.lake.table("screen_rules")] == [0]
    job.step()
    assert len(room.lake.table("screens")) == 1
    assert [row["opened"] for row in room.lake.table("screen_rules")] == [len(room.events())]
    room.stop(job)


def broken(*_: object) -> NoReturn:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    raise error


def test_a_screen_that_cannot_be_stored_is_stored_later_and_opens_once(room: Screening) -> None:
    job = room.start(settings([LOOSE | {"threshold": 0.01}]))
    room.until(300)
    job.step()
    job.run_screens()
    with closing(open_analytics_writer(room.lake.lake)) as other:
        job._db.execute("PRAGMA busy_timeout = 50")
        with atomic(other):
            job.step()
            assert "trying again" in job.error
            job.run_screens()  # nothing else is taken before
    assert room.lake.table("screens") == []
    job.step()
    assert job.error == ""
    assert len(room.lake.table("screens")) == 1
    rows = pl.read_parquet(room.lake.lake.latest_screen)
    assert len(room.events()) == rows.filter(pl.col("zscore").abs() > 0.01).height > 5
    room.stop(job)
