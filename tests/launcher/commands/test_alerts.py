"""`spreadlake alerts`: a threshold of one pair, set beside a running job and without one."""

import json
from pathlib import Path
from typing import Any

import pytest

from analytics_job.followed_settings import FollowedSettings
from analytics_job.job import AnalyticsJob
from spreadlake.config import AlertRule, ConfigWatch, Settings
from spreadlake.config.added_rules import changing_rules, read_added_rules, rule_by_hand
from spreadlake.config.alerting import ONLY_ON_SCREENS
from spreadlake.errors import LakeError
from spreadlake.pairs import Pair
from tests.analytics_job import harness
from tests.analytics_job.markets import walk
from tests.running import invoke, started, until

SYMBOLS = ["AUSDT", "BUSDT", "CUSDT"]
TRADES = walk(SYMBOLS, 300, seed=5, per_second=1.0)
RULES = [
    {"name": "near", "window": 20, "threshold": 1.5, "close_below": 1.0, "min_correlation": -1.0},
    {"name": "far", "window": 20, "timeframe": "1m", "threshold": 3.0},
]
CONFIG = """symbols = ["AUSDT", "BUSDT", "CUSDT"]
pairs = [["AUSDT", "BUSDT"], ["BUSDT", "CUSDT"]]
windows = [20, 30]
lookbacks = [40]
[[alerts]]
name = "near"
window = 20
threshold = 1.5
"""


def settings(**more: Any) -> Settings:
    values: dict[str, Any] = {
        "symbols": SYMBOLS,
        "pairs": [["AUSDT", "BUSDT"], ["BUSDT", "CUSDT"]],
        "windows": [20, 30],
        "lookbacks": [40],
        "alerts": RULES,
    }
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


def alerts(tmp_path: Path, *arguments: str) -> str:
    """What the command says where it does what it was told."""
    ended = invoke("alerts", *arguments, cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr
    return ended.stdout


def run_job(lake: harness.TestLake, **more: Any) -> None:
    AnalyticsJob(lake.lake, FollowedSettings(lake.lake, settings(**more)).settings).close()


def watched(lake: harness.TestLake) -> dict[tuple[str, str, str, int], float]:
    return {
        (row["rule"], row["pair"], row["timeframe"], row["window_bars"]): row["threshold"]
        for row in lake.table("alert_rules")
    }


def test_a_threshold_of_one_pair(tmp_path: Path, lake: harness.TestLake) -> None:
    before = watched(lake)
    told = alerts(tmp_path, "set", "AUSDT/BUSDT", "--window", "20", "--threshold", "2.5")
    assert told == (
        "set rule near on AUSDT/BUSDT (1s bars, window 20): opens at |z| > 2.5 when the analytics "
        "job runs next; it does not now\n"
    )
    assert "not watched at this threshold yet" in alerts(tmp_path)
    run_job(lake)
    place = ("near", "AUSDT/BUSDT", "1s", 20)
    assert watched(lake) == before | {place: 2.5}
    # What was not said stays as the rule of the configuration has it.
    of_rule = [row for row in lake.table("alert_rules") if row["threshold"] == 2.5]
    definition = json.loads(of_rule[0]["definition"])
    assert (definition["close_below"], definition["gates"][0]) == (1.0, -1.0)
    # Its events are those of the new threshold, and the other pair's are not touched.
    opened = {
        (r["pair"], r["threshold"]) for r in lake.table("alert_events") if r["rule"] == "near"
    }
    assert {threshold for pair, threshold in opened if pair == "BUSDT/CUSDT"} == {1.5}
    assert {threshold for pair, threshold in opened if pair == "AUSDT/BUSDT"} <= {2.5}
    listed = alerts(tmp_path)
    assert "by hand" in listed
    assert "not watched" not in listed
    assert "configuration" in listed
    told = alerts(tmp_path, "remove", "AUSDT/BUSDT")
    assert told.startswith("removed rule near on AUSDT/BUSDT (1s bars, window 20): as the config")
    run_job(lake)
    assert watched(lake) == before


def test_lower_than_where_the_rule_closes(tmp_path: Path, lake: harness.TestLake) -> None:
    alerts(tmp_path, "set", "AUSDT/BUSDT", "--window", "20", "--threshold", "0.8")
    run_job(lake)
    assert watched(lake)["near", "AUSDT/BUSDT", "1s", 20] == 0.8
    (row,) = [row for row in lake.table("alert_rules") if row["threshold"] == 0.8]
    assert json.loads(row["definition"])["close_below"] <= 0.8


def test_a_rule_where_none_watches(tmp_path: Path, lake: harness.TestLake) -> None:
    words = ("BUSDT/CUSDT", "--window", "30", "--threshold", "1", "--close-below", "0.5")
    told = alerts(tmp_path, "set", *words)
    assert told.startswith("set rule by hand on BUSDT/CUSDT (1s bars, window 30)")
    run_job(lake)
    assert watched(lake)["by hand", "BUSDT/CUSDT", "1s", 30] == 1.0
    events = [row for row in lake.table("alert_events") if row["rule"] == "by hand"]
    assert events
    assert all(abs(row["opened_zscore"]) > 1 for row in events)
    told = json.loads(alerts(tmp_path, "--json"))
    (own,) = [one for one in told["rules"] if one["source"] == "hand"]
    assert (own["lookbacks"], own["said"]) == ([40], {"threshold": 1.0, "close_below": 0.5})
    # Said again it is changed, not there twice.
    alerts(tmp_path, "set", "BUSDT/CUSDT", "--window", "30", "--threshold", "1.25")
    run_job(lake)
    assert watched(lake)["by hand", "BUSDT/CUSDT", "1s", 30] == 1.25
    assert len(read_added_rules(lake.lake)) == 1


def test_a_rule_may_be_called_what_tables_take_for_a_style(
    tmp_path: Path, lake: harness.TestLake
) -> None:
    name = "[b] is :x: [/c]"
    run_job(lake, alerts=[*RULES, {**RULES[0], "name": name, "threshold": 1.1}])
    listed = alerts(tmp_path)
    assert name in listed
    assert "2 pairs watched, a row for each rule" in listed


def test_one_lookback_of_a_rule_that_watches_all(tmp_path: Path, lake: harness.TestLake) -> None:
    run_job(lake, lookbacks=[40, 50])
    words = ("set", "AUSDT/BUSDT", "--window", "20", "--threshold", "2.5")

    def of_pair() -> list[tuple[int, float]]:
        run_job(lake, lookbacks=[40, 50])
        rows = [r for r in lake.table("alert_rules") if r["rule"] == "near" and r["pair"] in words]
        return [(row["lookback_bars"], row["threshold"]) for row in rows]

    alerts(tmp_path, *words, "--lookback", "50")
    assert of_pair() == [(50, 2.5)]
    alerts(tmp_path, *words)
    assert of_pair() == [(40, 2.5), (50, 2.5)]


def test_where_several_watch_one_is_named(tmp_path: Path, lake: harness.TestLake) -> None:
    both = [RULES[0], {"name": "other", "window": 20, "threshold": 2.0}]
    run_job(lake, alerts=both)
    words = ("set", "AUSDT/BUSDT", "--window", "20", "--threshold", "4")
    ended = invoke("alerts", *words, cwd=tmp_path)
    assert ended.returncode == 2
    assert "near, other watch AUSDT/BUSDT (1s bars, window 20); say which" in ended.stderr
    alerts(tmp_path, *words, "--rule", "other")
    run_job(lake, alerts=both)
    of_pair = {at[0]: threshold for at, threshold in watched(lake).items() if "A" in at[1][:1]}
    assert of_pair == {"near": 1.5, "other": 4.0}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("set AUSDT/BUSDT --threshold abc", "threshold = 'abc': must be a number"),
        ("set AUSDT/BUSDT --threshold -1", "threshold = '-1': must be greater than 0"),
        ("set AUSDT/BUSDT --threshold nan", "threshold = 'nan': must be a finite number"),
        ("set AUSDT/BUSDT --threshold 2 --close-below 3", "close_below 3.0 is above threshold 2.0"),
        ("set AUSDT/BUSDT --threshold 2 --min-bars 1.5", "min_bars = '1.5': must be a whole"),
        (
            "set AUSDT/BUSDT --threshold 2 --min-correlation 2",
            "min_correlation = '2': must be less",
        ),
        (
            f"set AUSDT/BUSDT --threshold 2 --min-bars {10**20}",
            f"min_bars = '{10**20}': must be less than or equal to 100000",
        ),
        ("set AUSDT/BUSDT --threshold 2 --rule=", "name = '': "),
        ("set AUSDT/BUSDT --threshold 2 --window 45", "window 45, which is not computed; computed"),
        ("set AUSDT/BUSDT --threshold 2 --window x", "window = 'x': must be a whole number"),
        ("set AUSDT/BUSDT --threshold 2 --window 20 --timeframe 5m", "computed are 1m, 1s"),
        ("set AUSDT/BUSDT --threshold 2 --window 20 --timeframe 5x", "timeframe = '5x'"),
        ("set AUSDT/BUSDT --threshold 2 --window 20 --lookback 50", "lookback 50, which is not"),
        ("set AUSDT/CUSDT --threshold 2 --window 20", "pairs add AUSDT/CUSDT --data data"),
        ("set AUSDT/XUSDT --threshold 2 --window 20", "XUSDT is not captured, and the lake has"),
        ("set BUSDT/AUSDT --threshold 2 --window 20", "the other way round, as AUSDT/BUSDT"),
        ("set AUSDT-BUSDT --threshold 2", "is not two symbols with a / between"),
        ("set AUSDT/BUSDT --threshold 2 --data none", "no lake in none"),
        ("remove AUSDT/BUSDT", "nothing was set by hand for AUSDT/BUSDT there; set are: rule near"),
        ("remove BUSDT/CUSDT --window 30", "nothing was set by hand for BUSDT/CUSDT there"),
        ("--data none", "no lake in none"),
    ],
)
def test_mistakes(tmp_path: Path, lake: harness.TestLake, words: str, said: str) -> None:
    alerts(tmp_path, "set", "BUSDT/CUSDT", "--window", "20", "--threshold", "3")
    before = read_added_rules(lake.lake)
    ended = invoke("alerts", *words.split(), cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, ""), ended.stdout
    assert said in ended.stderr
    assert read_added_rules(lake.lake) == before


def test_a_pair_that_was_just_added(tmp_path: Path, lake: harness.TestLake) -> None:
    assert lake
    assert invoke("pairs", "add", "AUSDT/CUSDT", cwd=tmp_path).returncode == 0
    alerts(tmp_path, "set", "AUSDT/CUSDT", "--window", "20", "--threshold", "3")
    run_job(lake)
    # The rule on all pairs would have watched it.
    of_pair = {at[0]: one for at, one in watched(lake).items() if at[1:3] == ("AUSDT/CUSDT", "1s")}
    assert of_pair == {"near": 3.0}


def test_every_key_of_a_rule_on_a_pair_can_be_set() -> None:
    place = {"name", "on", "pairs", "timeframe", "window", "lookback"}
    keys = AlertRule.model_fields.keys() - place - {*ONLY_ON_SCREENS}
    shown = invoke("alerts", "set", "--help", cwd=Path.cwd()).stdout
    assert not [key for key in keys if f"--{key.replace('_', '-')}" not in shown]


def test_what_a_changed_configuration_no_longer_computes_waits(
    tmp_path: Path, lake: harness.TestLake
) -> None:
    alerts(tmp_path, "set", "BUSDT/CUSDT", "--window", "30", "--threshold", "1")
    run_job(lake, windows=[20])
    assert "not watched: the pair is not followed" in alerts(tmp_path)
    run_job(lake)
    assert watched(lake)["by hand", "BUSDT/CUSDT", "1s", 30] == 1.0


def test_a_file_that_is_wrong_changes_nothing(tmp_path: Path, lake: harness.TestLake) -> None:
    with changing_rules(lake.lake) as held:
        held.append(rule_by_hand(Pair("AUSDT", "BUSDT"), "near", ("1s", 20, None), {}, 1.0))
    following = FollowedSettings(lake.lake, settings(), ConfigWatch(None, settings()))
    path = lake.lake.added_rules
    good = path.read_text()
    for wrong in ("{", '{"rules": [1]}', good.replace('"window": 20', '"window": 0')):
        path.write_text(wrong)
        following._due = 0.0
        assert following.changed() is None
        assert "rules.json is not as spreadlake alerts writes it" in following.refused
        with pytest.raises(LakeError, match="not as spreadlake alerts writes it"):
            FollowedSettings(lake.lake, settings())
        ended = invoke("alerts", cwd=tmp_path)
        assert ended.returncode == 2
        assert "mend it, or delete it" in ended.stderr
    path.unlink()
    following._due = 0.0
    assert following.changed() is not None
    assert following.refused == ""


def test_a_running_job_takes_it_on(tmp_path: Path, lake: harness.TestLake) -> None:
    (tmp_path / "spreadlake.toml").write_text(CONFIG)
    place = ("near", "AUSDT/BUSDT", "1s", 20)
    with started("analyse", cwd=tmp_path) as job:
        until(lambda: harness.job_status(lake).get("pid") == job.pid, "the job")
        until(lambda: watched(lake).get(place) == 1.5, "its rules")
        told = alerts(tmp_path, "set", "AUSDT/BUSDT", "--window", "20", "--threshold", "2.25")
        assert told.endswith("opens at |z| > 2.25 in a moment\n")
        until(lambda: watched(lake)[place] == 2.25, "the threshold")
        # An edited configuration leaves it as it is.
        (tmp_path / "spreadlake.toml").write_text(CONFIG.replace("= 1.5", "= 1.75"))
        other = ("near", "BUSDT/CUSDT", "1s", 20)
        until(lambda: watched(lake)[other] == 1.75, "the edit")
        assert watched(lake)[place] == 2.25
        alerts(tmp_path, "remove", "AUSDT/BUSDT")
        until(lambda: watched(lake)[place] == 1.75, "its end")
        assert job.poll() is None


def test_where_no_rule_is_it_is_said_how_to_set_one(tmp_path: Path, lake: harness.TestLake) -> None:
    run_job(lake, alerts=[])
    told = "no rule watches a pair; set one: spreadlake alerts set "
    assert f"{told}AUSDT/BUSDT --threshold 2 --data data" in alerts(tmp_path)
    run_job(lake, alerts=[], pairs=[])
    assert "none is followed that one could watch: spreadlake pairs --data" in alerts(tmp_path)
