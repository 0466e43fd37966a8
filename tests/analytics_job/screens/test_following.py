"""The analytics follow what screens choose: who comes has its history, who goes is gone."""

import logging
import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from analytics_job.job import AnalyticsJob
from analytics_job.screens.following import follow_screen
from exporter.alerts import alert_families, read_alerts
from exporter.pairs import pair_families, pair_test_families, read_pair_tests, read_pairs
from spreadlake.config import Settings
from spreadlake.lake import Lake
from spreadlake.quant.screen_choice import ENTER, LEAVE
from spreadlake.status import LakeSnapshot
from tests.analytics_job import harness
from tests.analytics_job.markets import EPOCH
from tests.analytics_job.screens.followed_market import SYMBOLS, trades
from tests.running import invoke

TRADES = trades(1_200)
FIRST, STEP = 295, 5
FIRST_COLUMNS = ("time", "price_a", "price_b", "spread", "zscore")
SCREEN: dict[str, Any] = {
    "enabled": True,
    "timeframe": "5s",
    "lookback": 60,
    "window": 20,
    "interval": 5,
    "pairs": 1,
    "top": 6,
    "keep_hours": 1,
}
BASE: dict[str, Any] = {
    "symbols": SYMBOLS,
    "pairs": "screen",
    "timeframes": ["1s", "5s"],
    "windows": [20],
    "lookbacks": [40],
    "max_stale_bars": 20,
    "job": {"tests_interval": 30},
    "alerts": [{"name": "far", "window": 20, "threshold": 2.0}],
    "screen": SCREEN,
}


def settings(**more: Any) -> Settings:
    return harness.settings(**(BASE | more))


class Run:
    """The job over the market, a screen every five seconds of it."""

    def __init__(self, root: Path, config: Settings) -> None:
        self.lake, self.config, self._at = harness.TestLake(root), config, 0
        self.begin()

    def begin(self) -> None:
        self.job = AnalyticsJob(self.lake.lake, self.config)
        self.job.start_beside()
        screener = self.job._screener
        assert screener is not None
        screener._process.compute = lambda work, due: work(due)  # type: ignore[method-assign,misc,assignment]

    def until(self, second: int) -> None:
        """Bars are final up to so many seconds after the beginning, and screened."""
        end = (second + 2) * len(SYMBOLS)
        self.lake.store(TRADES[self._at : end])
        self._at = end
        self.job.step()
        self.job.run_screens()
        self.job.step()

    def over(self, first: int, last: int) -> Iterator[int]:
        """Goes on to `last`; each second at which there may be a screen."""
        for second in range(first, last + 1, STEP):
            self.until(second)
            yield second

    def end(self) -> None:
        self.job.stop_beside()
        self.job.close()

    @property
    def followed(self) -> set[str]:
        return {row["pair"] for row in self.lake.table("followed_pairs")}

    @property
    def open_alerts(self) -> set[str]:
        return {e["pair"] for e in self.lake.table("alert_events") if e["closed_at"] is None}


def of_the_pair(run: Run, table: str, pair: str, end: int = 2**40) -> list[dict[str, Any]]:
    return [r for r in run.lake.table(table) if r["pair"] == pair and r.get("time", 0) < end]


def labelled(lake: Lake) -> set[str]:
    """The pairs of which `/metrics` has a sample."""
    with LakeSnapshot(lake) as look:
        families = [
            *pair_families(read_pairs(look)),
            *pair_test_families(read_pair_tests(look)),
            *alert_families(read_alerts(look)),
        ]
    return {one.labels["pair"] for family in families for one in family.samples}


def screens_with(run: Run, ranks: Collection[int], qvalue: float) -> list[set[frozenset[str]]]:
    """The pairs of each screen at these ranks, up to that q-value, in order of time."""
    found: dict[int, set[frozenset[str]]] = {r["time"]: set() for r in run.lake.table("screens")}
    for row in run.lake.table("screen_pairs"):
        if row["rank"] in ranks and row["qvalue"] is not None and row["qvalue"] <= qvalue:
            found[row["time"]].add(frozenset((row["symbol_a"], row["symbol_b"])))
    return [found[time] for time in sorted(found)]


def test_a_pair_comes_with_its_history_and_leaves_nothing_behind(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "analytics_job.screens")
    run = Run(tmp_path / "live", settings(alerts=[]))
    together = frozenset(SYMBOLS[:2])
    came = went = 0
    name = ""
    for second in run.over(FIRST, 595):
        now = run.followed
        if now and not came:
            came, (name,) = second, now
            assert frozenset(name.split("/")) == together
            (row,) = run.lake.table("followed_pairs")
            assert (row["source"], row["since"]) == ("screen", EPOCH + second)
            assert "among the first 3 times in a row" in row["why"]
            states = run.lake.table("pair_status")
            assert {one["state"] for one in states} == {"ready"}
            assert [one["timeframe"] for one in states] == ["1s", "5s"]
            assert labelled(run.lake.lake) == {name}
        if came and not went and not now:
            went = second
            break
        assert now <= {name}
    assert went > came > 0
    firsts = screens_with(run, {1}, 0.05)
    assert all(together in one for one in firsts[:ENTER])
    kept = screens_with(run, {1, 2}, 0.1)
    assert not any(together in one for one in kept[-LEAVE:])
    assert went == FIRST + STEP * len(kept)
    assert came == FIRST + STEP * ENTER
    first_told, last_told = [record.getMessage() for record in caplog.records]
    assert first_told.startswith(f"{name} is followed from now on: rank 1 with q ")
    assert last_told == f"{name} is no longer followed: screens do not find it any more"
    # Nothing of it is shown or computed any more, and what was computed stays.
    for table in ("pair_status", "series", "rows_due", "tests_due", "screen_choices"):
        assert run.lake.table(table) == [], table
    assert labelled(run.lake.lake) == set()
    last = max(row["time"] for row in of_the_pair(run, "pair_analytics", name))
    run.until(600 - 3)
    rows = of_the_pair(run, "pair_analytics", name)
    assert max(row["time"] for row in rows) == last < EPOCH + 590
    run.end()
    listed = harness.run_job(
        tmp_path / "listed",
        settings(pairs=[name.split("/")], alerts=[], screen={}),
        [TRADES[: (went + 2) * len(SYMBOLS)]],
    )
    assert rows == listed.table("pair_analytics")
    assert len(rows) > 400
    # Asked for, it is computed to the newest bar, from the first on.
    arguments = ("--pair", name, "--timeframe", "1s", "--lookback", "40", "-o", "-", "--epoch")
    ended = invoke("csv", *arguments, "--data", "live", cwd=tmp_path)
    known = [line.split(",")[:5] for line in ended.stdout.splitlines()[1:]]
    want = [[repr(r[c]) for c in FIRST_COLUMNS] for r in rows if r["timeframe"] == "1s"]
    assert known[: len(want)] == want
    assert int(known[-1][0]) == EPOCH + 597


def test_a_restart_at_any_moment_follows_the_same(tmp_path: Path) -> None:
    def timeline(root: Path, restarts: Collection[int]) -> list[Any]:
        run = Run(root, settings())
        seen = []
        for second in run.over(FIRST, 360):
            if second in restarts:
                run.end()
                run.begin()
            seen.append((run.lake.table("screen_choices"), run.lake.table("followed_pairs")))
        run.end()
        return seen

    straight = timeline(tmp_path / "straight", ())
    assert straight[-1][1]
    assert timeline(tmp_path / "restarted", range(FIRST, 360, 10)) == straight


def test_a_rebuild_follows_the_same(tmp_path: Path) -> None:
    run = Run(tmp_path, settings())
    for _ in run.over(FIRST, FIRST + STEP * ENTER):
        pass
    run.end()
    tables = ("followed_pairs", "screen_choices", "pair_analytics", "pair_status", "alert_events")
    before = {name: run.lake.table(name) for name in tables}
    job = AnalyticsJob(run.lake.lake, settings())
    job.rebuild(None)
    job.step()
    job.close()
    assert {name: run.lake.table(name) for name in tables} == before
    assert before["pair_analytics"]


LASTING = {
    "name": "far",
    "threshold": 1.0,
    "close_below": 1e-9,
    "quiet_seconds": 0,
}  # open for long


@pytest.mark.parametrize(
    "rule", [LASTING | {"window": 20, "threshold": 2.0, "min_bars": 1}, LASTING | {"on": "screen"}]
)
def test_a_pair_with_an_open_alert_stays_until_it_is_closed(
    tmp_path: Path, rule: dict[str, Any]
) -> None:
    free = SCREEN | {"fee_bps": 0.0}
    run = Run(tmp_path, settings(alerts=[rule], screen=free))
    outs, stayed = 0, 0
    for _ in run.over(FIRST, 585):
        for choice in run.lake.table("screen_choices"):
            if choice["since"] is not None and not choice["place"]:
                outs += 1
                assert choice["pair"] in run.followed
                stayed += choice["pair"] in run.open_alerts
        if "on" not in rule:
            assert run.open_alerts <= run.followed
    assert outs == stayed > 0
    if "on" not in rule:  # none of those that opened was taken away with its pair
        opened = sum(row["opened"] for row in run.lake.table("alert_counts"))
        assert opened == len(run.lake.table("alert_events"))
    # A rule that is no longer asked for leaves no alert, and the pair goes with the next screen.
    run.job.configure(settings(alerts=[], screen=free))
    run.until(595)
    assert run.followed == set()
    run.end()


def test_alerts_of_a_rule_that_names_the_pair_either_way_round(tmp_path: Path) -> None:
    named = {"one": ["AUSDT", "BUSDT"], "other": ["BUSDT", "AUSDT"], "none": ["CUSDT", "AUSDT"]}
    rules = [
        {"name": name, "window": 20, "threshold": 0.5, "min_bars": 1, "pairs": [legs]}
        for name, legs in named.items()
    ]
    run = Run(tmp_path, settings(alerts=rules))
    for _ in run.over(FIRST, FIRST + STEP * ENTER):
        pass
    (pair,) = run.followed
    watched = {(row["rule"], row["pair"]) for row in run.lake.table("alert_rules")}
    assert watched == {("one", pair), ("other", pair)}
    assert {e["rule"] for e in run.lake.table("alert_events")} == {"one", "other"}
    run.end()


def test_who_lists_the_pairs_again_forgets_what_was_chosen(tmp_path: Path) -> None:
    run = Run(tmp_path, settings())
    for _ in run.over(FIRST, FIRST + STEP * ENTER):
        pass
    assert run.lake.table("screen_choices")
    run.job.configure(settings(pairs=[["CUSDT", "DUSDT"]]))
    run.job.step()
    assert run.followed == {"CUSDT/DUSDT"}
    assert run.lake.table("screen_choices") == []
    run.job.configure(settings())
    run.job.step()
    assert run.followed == set()
    run.end()


def test_a_screen_that_cannot_be_stored_chooses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A screen and what it chose are one transaction: it counts once, whatever fails between."""
    run = Run(tmp_path, settings())
    fails = [True, False, True, True, False, False]
    locked = sqlite3.OperationalError("database is locked")
    locked.sqlite_errorcode = sqlite3.SQLITE_BUSY

    def sometimes(*arguments: Any) -> bool:
        if fails and fails.pop(0):
            follow_screen(*arguments)
            raise locked
        return follow_screen(*arguments)

    monkeypatch.setattr("analytics_job.screens.screener.follow_screen", sometimes)
    for _ in run.over(FIRST, FIRST + STEP * ENTER):
        run.job.step()
        run.job.step()
    assert fails == []
    (choice,) = run.lake.table("screen_choices")
    assert choice["since"] == EPOCH + FIRST + STEP * ENTER
    assert len(run.lake.table("screens")) == ENTER
    run.end()
