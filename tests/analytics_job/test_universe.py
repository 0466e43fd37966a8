"""The pairs follow who is captured, and a pair whose leg is not says so."""

from pathlib import Path
from typing import Any

import pytest

from analytics_job.followed_settings import FollowedSettings
from analytics_job.job import AnalyticsJob
from spreadlake.config import ConfigWatch, Settings
from spreadlake.lake import Lake, atomic
from spreadlake.lake.ticks.universe import UniverseRow, save_universe
from tests.analytics_job import harness
from tests.analytics_job.markets import walk

SYMBOLS = ["AUSDT", "BUSDT", "CUSDT"]
TRADES = walk(SYMBOLS, 200, seed=5, per_second=1.0)
BASE: dict[str, Any] = {
    "symbols": "all",
    "universe": {"top": 3},
    "pairs": "all",
    "timeframes": ["1s"],
    "windows": [20],
    "lookbacks": [40],
    "alerts": [{"name": "any", "window": 20, "threshold": 0.5}],
}


@pytest.fixture
def lake(tmp_path: Path) -> harness.TestLake:
    return harness.TestLake(tmp_path)


def capture(lake: harness.TestLake, *symbols: str) -> None:
    rows = [UniverseRow(symbol, place, "in") for place, symbol in enumerate(symbols)]
    rows += [UniverseRow(symbol, None, "out") for symbol in SYMBOLS if symbol not in symbols]
    with atomic(lake.db):
        save_universe(lake.db, rows, "top 3", 1)


def followed(lake: harness.TestLake, settings: Settings) -> FollowedSettings:
    return FollowedSettings(lake.lake, settings, ConfigWatch(None, settings))


def look(following: FollowedSettings) -> Settings | None:
    following._due = 0.0  # now, and not within a second
    return following.changed()


def test_pairs_and_alerts_follow_who_is_captured(tmp_path: Path, lake: harness.TestLake) -> None:
    settings = harness.settings(**BASE)
    following = followed(lake, settings)
    job = AnalyticsJob(lake.lake, following.settings)
    lake.store(TRADES[:200])
    job.step()
    assert lake.table("pair_status") == []
    for symbols, pairs in (
        (["AUSDT", "BUSDT"], {"AUSDT/BUSDT"}),
        (SYMBOLS, {"AUSDT/BUSDT", "AUSDT/CUSDT", "BUSDT/CUSDT"}),
        (["BUSDT", "CUSDT"], {"BUSDT/CUSDT"}),
    ):
        capture(lake, *symbols)
        changed = look(following)
        assert changed is not None
        assert look(following) is None
        job.configure(changed)
        job.step()
        assert {line["pair"] for line in lake.table("pair_status")} == pairs
        assert {rule["pair"] for rule in lake.table("alert_rules")} == pairs
    lake.store(TRADES[200:])
    job.step()
    job.close()
    named = {**BASE, "symbols": ["BUSDT", "CUSDT"], "universe": {}}
    straight = harness.run_job(tmp_path / "straight", harness.settings(**named), [TRADES])

    def of_the_pair(lake: harness.TestLake) -> list[dict[str, Any]]:
        return [row for row in lake.table("pair_analytics") if row["pair"] == "BUSDT/CUSDT"]

    assert of_the_pair(lake) == of_the_pair(straight)
    assert len(of_the_pair(straight)) > 100


def test_a_pair_named_by_hand_says_that_a_leg_is_not_captured(lake: harness.TestLake) -> None:
    rule = {"name": "any", "window": 20, "pairs": [["AUSDT", "LATERUSDT"]]}
    pairs = [["AUSDT", "BUSDT"], ["AUSDT", "LATERUSDT"]]
    following = followed(lake, harness.settings(**{**BASE, "pairs": pairs, "alerts": [rule]}))
    capture(lake, "AUSDT", "BUSDT")
    job = AnalyticsJob(lake.lake, look(following) or following.settings)

    def messages() -> dict[str, str]:
        return {line["pair"]: line["message"] for line in lake.table("pair_status")}

    lake.store(TRADES)
    job.step()
    assert messages()["AUSDT/BUSDT"].startswith("ready: hedge ratio over 40 bars")
    told = "; not captured now (see spreadlake symbols): LATERUSDT"
    assert messages()["AUSDT/LATERUSDT"] == f"warming up: 0 of 20 bars{told}"
    capture(lake, "AUSDT", "LATERUSDT")
    job.configure(look(following) or following.settings)
    job.step()
    assert messages()["AUSDT/LATERUSDT"] == "warming up: 0 of 20 bars"
    assert messages()["AUSDT/BUSDT"].endswith("not captured now (see spreadlake symbols): BUSDT")
    job.close()


def test_in_a_new_lake_nobody_is_captured_yet(tmp_path: Path) -> None:
    following = FollowedSettings(Lake(tmp_path / "none"), harness.settings(**BASE))
    assert following.settings.symbols == []
    assert following.settings.pair_list == []


def test_symbols_that_are_named_are_followed_by_the_file_only(lake: harness.TestLake) -> None:
    settings = harness.settings(**{**BASE, "symbols": SYMBOLS, "universe": {}})
    following = followed(lake, settings)
    capture(lake, "AUSDT")
    assert look(following) is None
    assert following.settings is settings
