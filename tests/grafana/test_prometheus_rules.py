"""Prometheus takes the configuration and the rules, and every metric in them exists."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from exporter.scrape import LakeMetrics, parts_of
from grafana.source.alerts import ALERTS, PAIR_ALERT
from spreadlake.config import Settings
from spreadlake.lake import open_ticks_writer
from tests.grafana.lake_fixture import FixtureLake
from tests.grafana.rendering import all_dashboards, panels_of
from tests.paths import ROOT

PROMETHEUS = ROOT / "grafana" / "prometheus"
TESTS = Path(__file__).parent / "alerts_test.yaml"


def promtool(*arguments: object) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("needs promtool on PATH (Debian: prometheus)")
    done = subprocess.run(
        ["promtool", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_the_configuration_and_its_rules() -> None:
    promtool("check", "config", PROMETHEUS / "prometheus.yml")


def test_alerts_fire_at_their_time() -> None:
    promtool("test", "rules", TESTS)


def test_what_is_said_of_an_alert_is_of_who_opened_it(tmp_path: Path) -> None:
    """z of pair analytics and of a screen may be of the same pair, bars and windows."""
    rules = yaml.safe_load((ROOT / "grafana/provisioning/alerting/rules.yaml").read_text("utf-8"))
    (pair,) = [
        rule
        for group in rules["groups"]
        for rule in group["rules"]
        if rule["title"] == PAIR_ALERT.name
    ]
    said = {query["refId"]: query["model"].get("expr") for query in pair["data"]}
    key = 'pair="A/B", timeframe="1m", window="60", lookback="300"'
    own, other, screened = (f'{{{key}, rule="{name}"}}' for name in ("z", "calm", "screened"))
    series = {
        f"spreadlake_pair_zscore{{{key}}}": "-3.5 2.5 2.1",
        f"spreadlake_pair_alert_threshold{own}": "2x2",
        f"spreadlake_pair_alert_threshold{other}": "2x2",
        f"spreadlake_pair_alert_threshold{screened}": "3x2",
        f"spreadlake_pair_alert_zscore{own}": "-3.5 -3.5 stale",
        f"spreadlake_pair_alert_spread_bps{own}": "-8.25 -8.25 stale",
        f"spreadlake_pair_alert_opened_timestamp_seconds{own}": "1700000000 1700000000 stale",
        f"spreadlake_pair_alert_half_life_bars{own}": "5 5 stale",
        f"spreadlake_pair_alert_log_prices{own}": "0 0 stale",
        f"spreadlake_pair_alert_zscore{screened}": "-4.5 -4.5 stale",
        f"spreadlake_pair_alert_half_life_bars{screened}": "7 7 stale",
        f"spreadlake_pair_alert_log_prices{screened}": "1 1 stale",
        f"spreadlake_screen_alert_edge_bps{screened}": "12.5 12.5 stale",
    }
    want: dict[str, dict[str, float]] = {
        "Z": {own: -3.5, other: 0, screened: -4.5},
        "T": {own: 2, other: 2, screened: 3},
        # Never without data, which would keep the whole rule from firing.
        "S": {own: -8.25, other: -1e9, screened: -1e9},
        "E": {own: -1e9, other: -1e9, screened: 12.5},
        "H": {own: 5, other: -1e9, screened: 7},
        "M": {own: 1_700_000_000, other: 0, screened: 0},
        "L": {own: 0, other: 0, screened: 1},
        "O": {own: 999_996.5, other: 1_000_000, screened: 999_995.5},
    }
    tests = [
        {
            "expr": said[ref],
            "eval_time": "20s",
            "exp_samples": [{"labels": k, "value": v} for k, v in values.items()],
        }
        for ref, values in want.items()
    ]
    given = [{"series": name, "values": values} for name, values in series.items()]
    whole = {"interval": "10s", "input_series": given, "promql_expr_test": tests}
    path = tmp_path / "said.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [], "tests": [whole]}))
    promtool("test", "rules", path)


def test_every_alert_is_tested_and_every_tested_one_exists() -> None:
    """promtool passes a test of an alert that does not exist, where it must not fire."""
    tests = yaml.safe_load(TESTS.read_text("utf-8"))["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    names = {PAIR_ALERT.name, *(alert.name for alert in ALERTS)}
    assert {case["alertname"] for case in cases} == names
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == names
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == names


def expressions() -> Iterator[tuple[str, str]]:
    for alert in (PAIR_ALERT, *ALERTS):
        yield alert.name, alert.expr
    for board in all_dashboards():
        for panel in panels_of(board):
            for target in panel.get("targets", []):
                if "expr" in target:
                    yield panel["title"], target["expr"]


@pytest.fixture(scope="module")
def exported(fixture_lake: FixtureLake) -> set[str]:
    """Names of all metrics that the exporter has."""
    open_ticks_writer(fixture_lake.lake).close()
    families = LakeMetrics(fixture_lake.lake, parts_of(Settings().symbols)).collect()
    ending = {"counter": "_total", "histogram": "_bucket"}
    return {family.name + ending.get(family.type, "") for family in families}


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_metrics_exist(exported: set[str], where: str, expression: str) -> None:
    used = set(re.findall(r"\bspreadlake_\w+", expression))
    assert used or "up{" in expression
    assert used <= exported, f"{where}: {used - exported}"


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_charts_of_the_most_have_the_same_symbols_at_every_point(
    where: str, expression: str
) -> None:
    """`topk` at each point for itself drew a line for nearly every symbol of a market."""
    assert ("topk(" in expression) == ("@ end()" in expression), where
