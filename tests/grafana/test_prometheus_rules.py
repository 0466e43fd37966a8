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
from tests.grafana.rendering import all_dashboards
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
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                if "expr" in target:
                    yield panel["title"], target["expr"]


@pytest.fixture(scope="module")
def exported(fixture_lake: FixtureLake) -> set[str]:
    """Names of all metrics that the exporter has."""
    open_ticks_writer(fixture_lake.lake).close()
    families = LakeMetrics(fixture_lake.lake, parts_of(Settings().symbols)).collect()
    return {
        f"{family.name}_total" if family.type == "counter" else family.name for family in families
    }


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_metrics_exist(exported: set[str], where: str, expression: str) -> None:
    used = set(re.findall(r"\bspreadlake_\w+", expression))
    assert used or "up{" in expression
    assert used <= exported, f"{where}: {used - exported}"
