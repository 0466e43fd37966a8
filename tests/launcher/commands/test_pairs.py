"""`spreadlake pairs`: lists, adds and removes, beside a running job and without one."""

import json
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from analytics_job.followed_settings import FollowedSettings
from analytics_job.job import AnalyticsJob
from spreadlake.config import ConfigWatch, Settings
from spreadlake.errors import LakeError
from spreadlake.lake import Lake, atomic, open_reader, open_ticks_writer
from spreadlake.lake.added_pairs import added, changing_added, read_added
from spreadlake.lake.analytics.followed import read_followed
from spreadlake.lake.databases.meta import write_meta
from spreadlake.lake.ticks.universe import UniverseRow, save_universe
from spreadlake.pairs import Pair
from tests.analytics_job import harness
from tests.analytics_job.markets import walk
from tests.running import invoke, started, until

SYMBOLS = ["AUSDT", "BUSDT", "CUSDT"]
TRADES = walk(SYMBOLS, 120, seed=5, per_second=1.0)
CONFIG = """symbols = ["AUSDT", "BUSDT", "CUSDT"]
pairs = [["AUSDT", "BUSDT"]]
windows = [20]
lookbacks = [40]
"""
EDITED = CONFIG.replace('[["AUSDT", "BUSDT"]]', '[["BUSDT", "CUSDT"]]')


def settings(**more: Any) -> Settings:
    values = {"symbols": SYMBOLS, "pairs": [["AUSDT", "BUSDT"]], "windows": [20], "lookbacks": [40]}
    return harness.settings(**(values | more))


@pytest.fixture
def lake(tmp_path: Path) -> harness.TestLake:
    """One that the job has seen, in the folder `data`."""
    one = harness.TestLake(tmp_path / "data")
    one.store(TRADES)
    job = AnalyticsJob(one.lake, settings())
    job.step()
    job.close()
    return one


def pairs(tmp_path: Path, *arguments: str) -> str:
    """What the command says where it does what it was told."""
    ended = invoke("pairs", *arguments, cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr
    return ended.stdout


def refused(tmp_path: Path, *arguments: str) -> str:
    before = (tmp_path / "data" / "pairs.json").exists() and names(tmp_path)
    ended = invoke("pairs", *arguments, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, ""), ended.stdout
    assert ended.stderr.startswith("spreadlake: error: ")
    assert ((tmp_path / "data" / "pairs.json").exists() and names(tmp_path)) == before
    return ended.stderr


def names(tmp_path: Path) -> list[str]:
    return [one.pair.name for one in read_added(Lake(tmp_path / "data"))]


def test_added_and_removed_without_a_job(tmp_path: Path, lake: harness.TestLake) -> None:
    told = pairs(tmp_path, "add", "CUSDT/AUSDT", "BUSDT/CUSDT")
    assert told == (
        "added CUSDT/AUSDT, BUSDT/CUSDT: followed when the analytics job runs next; it does not "
        "now\n"
    )
    listed = pairs(tmp_path)
    assert "3 pairs" in listed
    assert "not followed yet" in listed
    job = AnalyticsJob(lake.lake, FollowedSettings(lake.lake, settings()).settings)
    job.step()
    listed = pairs(tmp_path)
    assert "not followed yet" not in listed
    assert "added by hand" in listed
    assert {one["pair"] for one in lake.table("pair_status")} == {
        "AUSDT/BUSDT", "BUSDT/CUSDT", "CUSDT/AUSDT",
    }  # fmt: skip
    job.close()
    assert pairs(tmp_path, "remove", "BUSDT/CUSDT").startswith("removed BUSDT/CUSDT: no longer")
    assert "removed, and still followed" in pairs(tmp_path)
    AnalyticsJob(lake.lake, FollowedSettings(lake.lake, settings()).settings).close()
    assert {one["pair"] for one in lake.table("followed_pairs")} == {"AUSDT/BUSDT", "CUSDT/AUSDT"}


def test_as_json_and_where_each_is_from(tmp_path: Path, lake: harness.TestLake) -> None:
    pairs(tmp_path, "add", "CUSDT/BUSDT")
    AnalyticsJob(lake.lake, FollowedSettings(lake.lake, settings()).settings).close()
    told = json.loads(pairs(tmp_path, "--json", "--data", "data"))
    hand, configured = told["pairs"]
    assert (hand["pair"], hand["source"]) == ("CUSDT/BUSDT", "hand")
    assert (configured["pair"], configured["source"]) == ("AUSDT/BUSDT", "configuration")
    assert configured["states"] == {"ready": 1, "warming": 1}
    assert hand["states"] == {"ready": 1, "warming": 1}
    assert hand["since"] > 1_700_000_000
    assert configured["since"] is None  # from before there was a trade
    status = json.loads(invoke("status", "--json", cwd=tmp_path).stdout)
    assert status["followed"] == {"configuration": 1, "hand": 1}
    text = invoke("status", cwd=tmp_path).stdout
    assert "2 pairs followed: 1 by the configuration, 1 by hand (spreadlake pairs)" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("add AUSDT-BUSDT", "is not two symbols with a / between"),
        ("add ausdt/busdt", "upper case: AUSDT"),
        ("add AUSDT/AUSDT", "two different symbols"),
        (
            "add AUSDT/ZUSDT",
            "ZUSDT is not captured, and the lake has nothing of it; did you mea",
        ),
        ("add AUSDT/XYZ", "XYZ is not captured, and the lake has nothing of it; its symbols are"),
        ("add AUSDT/BUSDT", "followed already (pairs of the configuration asks for it)"),
        ("add BUSDT/AUSDT", "the other way round, as AUSDT/BUSDT; turn it round in pairs"),
        ("add CUSDT/BUSDT", "followed already (by hand)"),
        ("add BUSDT/CUSDT", "remove that first: spreadlake pairs remove CUSDT/BUSDT"),
        ("add AUSDT/CUSDT AUSDT/CUSDT", "AUSDT/CUSDT is there twice; name it once"),
        ("add AUSDT/CUSDT CUSDT/AUSDT", "the other way round as well, AUSDT/CUSDT"),
        ("add AUSDT/CUSDT AUSDT/ZUSDT", "ZUSDT is not captured"),
        ("remove AUSDT/BUSDT", "the configuration asks for it; edit pairs there"),
        ("remove BUSDT/AUSDT", "pair AUSDT/BUSDT was not added by hand"),
        ("remove BUSDT/CUSDT", "spreadlake pairs remove CUSDT/BUSDT"),
        ("remove AUSDT/CUSDT", "was not added by hand; those are CUSDT/BUSDT"),
        ("remove CUSDT/BUSDT CUSDT/BUSDT", "twice"),
        ("remove CUSDT/BUSDT AUSDT/CUSDT", "was not added by hand"),
        ("add AUSDT/CUSDT --data none", "no lake in none"),
        ("remove AUSDT/CUSDT --data none", "no lake in none"),
        ("--data none", "no lake in none"),
    ],
)
def test_mistakes(tmp_path: Path, lake: harness.TestLake, words: str, said: str) -> None:
    assert lake
    pairs(tmp_path, "add", "CUSDT/BUSDT")
    assert said in refused(tmp_path, *words.split())


def test_options_stand_behind_the_word(tmp_path: Path, lake: harness.TestLake) -> None:
    assert lake
    ended = invoke("pairs", "--data", "other", "add", "AUSDT/CUSDT", cwd=tmp_path)
    assert ended.returncode == 2
    assert "options come after the word add" in ended.stderr
    assert invoke("pairs", "add", cwd=tmp_path).returncode == 2


def test_a_pair_of_the_screen_can_be_kept_for_good(tmp_path: Path, lake: harness.TestLake) -> None:
    screen = {"enabled": True, "timeframe": "1m"}
    chosen = settings(pairs="screen", screen=screen)
    job = AnalyticsJob(lake.lake, chosen)
    with atomic(job._db):
        job._db.execute(
            "INSERT INTO screen_choices VALUES ('CUSDT/AUSDT', 1700000000, 3, 0, 1, 'rank 1')"
        )
    job.configure(chosen)
    assert "screen" in pairs(tmp_path)
    assert "the screen chose it" in refused(tmp_path, "remove", "CUSDT/AUSDT")
    assert "add CUSDT/AUSDT, which the screen" in refused(tmp_path, "add", "AUSDT/CUSDT")
    assert "added CUSDT/AUSDT" in pairs(tmp_path, "add", "CUSDT/AUSDT")
    following = FollowedSettings(lake.lake, chosen)
    job.configure(following.settings)
    (row,) = lake.table("followed_pairs")
    assert (row["pair"], row["source"]) == ("CUSDT/AUSDT", "hand")
    told = pairs(tmp_path, "remove", "CUSDT/AUSDT")
    assert told == "removed CUSDT/AUSDT; it stays followed: the screen asks for it too\n"
    job.configure(FollowedSettings(lake.lake, chosen).settings)
    (row,) = lake.table("followed_pairs")
    assert (row["pair"], row["source"]) == ("CUSDT/AUSDT", "screen")
    job.close()


def test_beside_all_pairs_only_others_can_be_added(tmp_path: Path, lake: harness.TestLake) -> None:
    AnalyticsJob(lake.lake, settings(symbols=SYMBOLS[:2], pairs="all")).close()
    assert "followed already" in refused(tmp_path, "add", "AUSDT/BUSDT")
    pairs(tmp_path, "add", "CUSDT/AUSDT")
    every = settings(symbols=SYMBOLS[:2], pairs="all")
    AnalyticsJob(lake.lake, FollowedSettings(lake.lake, every).settings).close()
    assert {row["pair"]: row["source"] for row in lake.table("followed_pairs")} == {
        "AUSDT/BUSDT": "configuration",
        "CUSDT/AUSDT": "hand",
    }
    # Named by the configuration too, the other way round, that one counts.
    AnalyticsJob(lake.lake, FollowedSettings(lake.lake, settings(pairs="all")).settings).close()
    assert "followed as AUSDT/CUSDT" in pairs(tmp_path)
    pairs(tmp_path, "remove", "CUSDT/AUSDT")
    assert "followed as" not in pairs(tmp_path)


def test_many_commands_at_once_lose_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path)

    def add(number: int) -> None:
        with changing_added(lake) as held:
            held.append(added(Pair(f"S{number}", "BTCUSDT"), 1_700_000_000 + number))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.pair.a for one in read_added(lake)} == {f"S{number}" for number in range(20)}


def test_a_file_that_is_wrong_is_told_and_changes_nothing(
    tmp_path: Path, lake: harness.TestLake
) -> None:
    pairs(tmp_path, "add", "CUSDT/BUSDT")
    following = FollowedSettings(lake.lake, settings(), ConfigWatch(None, settings()))
    path = lake.lake.added_pairs
    good = path.read_text()
    endless = '{"pairs": [{"pair": "CUSDT/BUSDT", "since": 1e999}]}'
    for wrong in ("", "{", "[]", '{"pairs": [1]}', endless, good.replace("CUSDT/", "cusdt/")):
        path.write_text(wrong)
        following._due = 0.0
        assert following.changed() is None
        assert [pair.name for pair in following.settings.pair_list] == [
            "AUSDT/BUSDT", "CUSDT/BUSDT",
        ]  # fmt: skip
        assert "pairs.json is not as spreadlake pairs writes it" in following.refused
        assert "delete it and add the pairs again" in following.refused
        with pytest.raises(LakeError, match="not as spreadlake pairs writes it"):
            FollowedSettings(lake.lake, settings())
        for words in ("add AUSDT/CUSDT", "remove CUSDT/BUSDT", "--json"):
            ended = invoke("pairs", *words.split(), cwd=tmp_path)
            assert ended.returncode == 2
            assert "mend it, or delete it" in ended.stderr
        assert path.read_text() == wrong
    path.write_text(good)
    following._due = 0.0
    following.changed()
    assert following.refused == ""
    path.unlink()
    following._due = 0.0
    changed = following.changed()
    assert changed is not None
    assert [pair.name for pair in changed.pair_list] == ["AUSDT/BUSDT"]


def test_who_has_a_demo_is_told_which_configuration_counts(tmp_path: Path) -> None:
    with closing(open_ticks_writer(Lake(tmp_path / "data"))) as db, atomic(db):
        write_meta(db, "origin", "demo")
    assert "in a configuration that the demo is given (--config) first" in refused(
        tmp_path, "add", "AUSDT/BUSDT"
    )
    assert "no two symbols yet: start spreadlake on it, or import" in pairs(tmp_path)


def test_a_lake_of_before_and_one_without_analytics(tmp_path: Path) -> None:
    with closing(open_ticks_writer(Lake(tmp_path / "data"))) as db, atomic(db):
        save_universe(db, [UniverseRow(s, n, "in") for n, s in enumerate(SYMBOLS)], "all", 1)
    none = "no pair is followed; add one: spreadlake pairs add AUSDT/BUSDT --data data, or start"
    assert none in pairs(tmp_path)
    pairs(tmp_path, "add", "AUSDT/CUSDT")
    assert names(tmp_path) == ["AUSDT/CUSDT"]
    assert "not followed yet" in pairs(tmp_path)


def test_a_running_job_takes_them_on(tmp_path: Path, lake: harness.TestLake) -> None:
    (tmp_path / "spreadlake.toml").write_text(CONFIG)

    def followed() -> set[str]:
        with closing(open_reader(lake.lake.analytics_db)) as db:
            return {one.pair.name for one in read_followed(db)}

    def ready() -> set[str]:
        return {r["pair"] for r in lake.table("pair_status") if r["state"] == "ready"}

    with started("analyse", cwd=tmp_path) as job:
        until(lambda: harness.job_status(lake).get("pid") == job.pid, "the job")
        told = pairs(tmp_path, "add", "CUSDT/AUSDT")
        assert told == "added CUSDT/AUSDT: followed in a moment\n"
        until(lambda: ready() == {"AUSDT/BUSDT", "CUSDT/AUSDT"}, "its history")
        assert followed() == {"AUSDT/BUSDT", "CUSDT/AUSDT"}
        # An edited configuration leaves them as they are.
        (tmp_path / "spreadlake.toml").write_text(EDITED)
        until(lambda: followed() == {"BUSDT/CUSDT", "CUSDT/AUSDT"}, "the edit")
        pairs(tmp_path, "remove", "CUSDT/AUSDT")
        until(lambda: followed() == {"BUSDT/CUSDT"}, "its end")
        assert job.poll() is None
        assert harness.job_status(lake)["pid"] == job.pid
