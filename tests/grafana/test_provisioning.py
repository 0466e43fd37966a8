"""What Grafana would exit on, or silently leave out, is found here."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from grafana.source.alerts import ALERTS, PAIR_ALERT
from grafana.source.files import generated
from grafana.source.runbook import sections
from grafana.source.style import NEUTRAL
from spreadlake.times import timeframe_seconds
from tests.grafana.rendering import all_dashboards, dashboard, panels_of
from tests.paths import ROOT

PROVISIONING = ROOT / "grafana" / "provisioning"
ALERTING = PROVISIONING / "alerting"
NAMES = [PAIR_ALERT.name, *(alert.name for alert in ALERTS)]
# What docs and compose promise that the provisioning takes from the environment.
VARIABLES = {
    "SPREADLAKE_DATA", "SPREADLAKE_DASHBOARDS", "PROMETHEUS_URL", "SPREADLAKE_EMAIL_TO",
    "SPREADLAKE_SLACK_URL", "SPREADLAKE_WEBHOOK_URL", "SPREADLAKE_NOTIFIER",
}  # fmt: skip
PROMISED = ["symbol_a", "symbol_b", "timeframe", "window", "lookback", "threshold"]
CHOSEN = [*PROMISED, "prices", "datasource"]


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def grafana_rules() -> list[dict[str, Any]]:
    return [rule for group in loaded(ALERTING / "rules.yaml")["groups"] for rule in group["rules"]]


def test_generated_files_are_what_their_source_says() -> None:
    stale = [path.name for path, text in generated().items() if path.read_text("utf-8") != text]
    assert stale == [], "run `make dashboards`"


def test_dashboards_have_stable_uids_and_titles() -> None:
    assert {board["uid"]: board["title"] for board in all_dashboards()} == {
        "spreadlake-pair": "Pair",
        "spreadlake-overview": "Overview",
        "spreadlake-screen": "Screen",
        "spreadlake-backtest": "Back-test",
        "spreadlake-pipeline": "Pipeline",
        "spreadlake-runbook": "Runbook",
    }


@pytest.mark.parametrize("board", all_dashboards(), ids=lambda board: board["uid"])
def test_a_dashboard_is_well_formed(board: dict[str, Any]) -> None:
    panels = panels_of(board)
    assert max(Counter(panel["id"] for panel in panels).values()) == 1
    assert board["timezone"] == "utc"
    assert board["refresh"] in ("5s", "10s", "")
    assert board["graphTooltip"] == 1, "the crosshair is shared"
    other = [link for link in board["links"] if link["url"].startswith("/d/")]
    assert len(other) == 5
    assert len(board["links"]) - len(other) <= 2, "and the exporter's page, and its rules"
    assert all("placement" not in link for link in board["links"]), "in view"
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert panel["title"]
        if panel.get("targets"):
            assert panel["fieldConfig"]["defaults"]["noValue"], f"{panel['title']} without rows"
    taken = [cell for panel in panels for cell in cells(panel["gridPos"])]
    assert len(taken) == len(set(taken)), "two panels in one place"


def cells(place: dict[str, int]) -> Iterator[tuple[int, int]]:
    for x in range(place["x"], place["x"] + place["w"]):
        yield from ((x, y) for y in range(place["y"], place["y"] + place["h"]))


@pytest.mark.parametrize("board", all_dashboards(), ids=lambda board: board["uid"])
def test_sources_of_a_dashboard_exist(board: dict[str, Any]) -> None:
    known = {
        source["uid"]
        for source in loaded(PROVISIONING / "datasources/spreadlake.yaml")["datasources"]
    }
    assert known == {"spreadlake-lake", "spreadlake-prometheus", "spreadlake-backtests"}
    ids = {panel["id"] for panel in panels_of(board)}
    for panel in panels_of(board):
        for target in panel.get("targets", []):
            own = {"${datasource}", "${kept}", "-- Dashboard --"}
            assert target["datasource"]["uid"] in known | own
            assert target.get("panelId", panel["id"]) in ids


def test_what_has_no_value_has_no_meaning_by_its_colour_and_is_no_sentence_in_a_cell() -> None:
    for board in all_dashboards():
        for panel in panels_of(board):
            config = panel.get("fieldConfig", {})
            steps = config.get("defaults", {}).get("thresholds", {}).get("steps")
            none = steps[0]["color"] if steps else NEUTRAL
            assert none in (NEUTRAL, "transparent") or panel["title"] == "Services"
            if panel["type"] == "table":
                (cells,) = [o for o in config["overrides"] if o["matcher"]["options"] == "/.*/"]
                assert cells["properties"] == [{"id": "noValue", "value": "–"}]


def test_prometheus_rules_are_not_listed_beside_the_same_ones_of_grafana() -> None:
    sources = loaded(PROVISIONING / "datasources/spreadlake.yaml")["datasources"]
    (prometheus,) = [source for source in sources if source["type"] == "prometheus"]
    assert prometheus["jsonData"]["manageAlerts"] is False


def test_variables_have_the_same_names_everywhere() -> None:
    def names(uid: str) -> list[str]:
        listed = dashboard(uid)["templating"]["list"]
        # What is hidden is for links and titles, and is not carried over.
        assert all(one["skipUrlSync"] for one in listed if one.get("hide") == 2)
        return [one["name"] for one in listed if one.get("hide") != 2]

    assert names("spreadlake-pair") == CHOSEN
    assert set(names("spreadlake-overview")) < set(CHOSEN) - {"prices"}


def test_strings_in_sql_are_quoted() -> None:
    for board in all_dashboards():
        text = json.dumps(board.get("panels")) + json.dumps(board.get("templating", {}))
        for sql in re.findall(r'"(?:queryText|definition)": "((?:[^"\\]|\\.)*)"', text):
            assert not re.search(r"\$\{\w+\}|\$(?!__)[a-z]", sql), sql
            assert set(re.findall(r"\$\{\w+:(\w+)\}", sql)) <= {"sqlstring"}


def test_the_exported_table_is_named_by_symbols_and_timeframe() -> None:
    assert "${symbol_a}_${symbol_b}_${timeframe}" in [
        panel["title"] for panel in dashboard("spreadlake-pair")["panels"]
    ]


def test_only_promised_variables_are_taken_from_the_environment() -> None:
    found = set()
    for path in PROVISIONING.rglob("*.yaml"):
        if path.name != "rules.yaml":  # its `$labels` and `$values` are Grafana's own
            text = re.sub(r"#.*", "", path.read_text("utf-8"))
            found |= set(re.findall(r"\$\{?(\w+)", text))
    assert found == VARIABLES
    assert "${" not in (ALERTING / "rules.yaml").read_text("utf-8")


def test_rule_groups_are_what_grafana_accepts() -> None:
    (provider,) = loaded(PROVISIONING / "dashboards/spreadlake.yaml")["providers"]
    folder = provider["folder"]
    assert "folderUid" not in provider, (
        "a rule's folder has none, so there would be two of the name"
    )
    uids: list[str] = []
    for group in loaded(ALERTING / "rules.yaml")["groups"]:
        assert timeframe_seconds(group["interval"]) % 10 == 0
        assert group["folder"] == folder
        uids += [rule["uid"] for rule in group["rules"]]
    assert len(uids) == len(set(uids))
    assert all(len(uid) <= 40 for uid in uids)


def test_every_alert_is_in_both_rule_files_with_the_same_severity() -> None:
    prometheus = {
        rule["alert"]: rule["labels"]["severity"]
        for group in loaded(ROOT / "grafana/prometheus/rules.yml")["groups"]
        for rule in group["rules"]
    }
    grafana = {rule["title"]: rule["labels"]["severity"] for rule in grafana_rules()}
    assert prometheus == grafana
    assert sorted(prometheus) == sorted(NAMES)


def test_every_alert_has_its_place_in_the_runbook() -> None:
    runbook = sections((ROOT / "docs/runbook.md").read_text("utf-8"))
    assert sorted(runbook) == sorted(NAMES)
    assert all(len(body) > 100 for body in runbook.values())
    panels = {panel["id"]: panel["title"] for panel in dashboard("spreadlake-runbook")["panels"]}
    for rule in grafana_rules():
        number = re.fullmatch(
            r"\{\{ externalURL \}\}d/spreadlake-runbook\?viewPanel=panel-(\d+)",
            rule["annotations"]["runbook_url"],
        )
        assert number is not None
        assert panels[int(number[1])] == rule["title"]


def test_alerts_read_well() -> None:
    for alert in (PAIR_ALERT, *ALERTS):
        assert "{" not in alert.summary, "a summary is a fixed sentence"
        assert alert.summary.endswith(".")
        assert alert.description.endswith(".")
        assert " == " not in alert.expr, "a value of 0 would not fire in Grafana"


def test_texts_of_rules_expand_without_labels() -> None:
    """An evaluation without data has none, and a function of a missing one is an error."""
    for rule in grafana_rules():
        for text in rule["annotations"].values():
            for used in re.findall(r"\{\{(.*?)\}\}", text):
                assert re.fullmatch(r" (with )?\$(labels|values)\.\w+ |(?!.*\$).*", used), used


def test_rules_look_at_panels_that_exist() -> None:
    for rule in grafana_rules():
        panels = {panel["id"] for panel in dashboard(rule["dashboardUid"])["panels"]}
        assert rule["panelId"] in panels
        assert {query["datasourceUid"] for query in rule["data"]} == {
            "spreadlake-prometheus",
            "__expr__",
        }
        assert rule["condition"] in [query["refId"] for query in rule["data"]]


def test_policies_name_receivers_and_mutes_that_exist() -> None:
    points = loaded(ALERTING / "contact-points.yaml")["contactPoints"]
    names = {point["name"] for point in points}
    file = loaded(ALERTING / "policies.yaml")
    mutes = {mute["name"] for mute in file["muteTimes"]}
    (policy,) = file["policies"]
    assert policy["group_by"] == ["alertname"], "one message of all pairs"
    assert (policy["group_wait"], policy["group_interval"]) == ("10s", "2m")
    assert "[3m]" in PAIR_ALERT.expr, "longer than the interval: what ends was told"
    for route in (policy, *policy["routes"]):
        assert route["receiver"] in names
        assert set(route.get("mute_time_intervals", [])) <= mutes
    notifier, *sending, last = policy["routes"]
    assert notifier["object_matchers"] == [
        ["alertname", "=", "PairBeyondThreshold"],
        ["unset", "!=", "${SPREADLAKE_NOTIFIER}"],
    ]
    assert notifier["mute_time_intervals"] == ["spreadlake-always"]
    assert "continue" not in notifier, "what the notifier tells is told by nobody else"
    assert {route["receiver"] for route in sending} == names
    assert all(route["continue"] for route in sending)
    assert last["mute_time_intervals"] == ["spreadlake-always"], "the rest goes nowhere"


def test_contact_points_are_never_empty_and_use_our_templates() -> None:
    (templates,) = loaded(ALERTING / "templates.yaml")["templates"]
    defined = set(re.findall(r'define "([\w.]+)"', templates["template"]))
    for point in loaded(ALERTING / "contact-points.yaml")["contactPoints"]:
        (receiver,) = point["receivers"]
        settings = receiver["settings"]
        address = settings.get("addresses") or settings["url"]
        assert re.sub(r"\$\{\w+\}", "", address) in (";", "#")
        used = set(re.findall(r'template "([\w.]+)"', json.dumps(settings).replace('\\"', '"')))
        assert used
        assert used <= defined


def test_the_threshold_says_that_it_only_draws_and_the_chart_leads_to_the_rule() -> None:
    board = dashboard("spreadlake-pair")
    (threshold,) = [v for v in board["templating"]["list"] if v["name"] == "threshold"]
    assert threshold["label"].startswith("Draw")
    assert "opens no alert" in threshold["description"]
    (chart,) = [panel for panel in panels_of(board) if panel["title"].startswith("z-score")]
    for links in (board["links"], chart["links"]):
        (rule,) = [link for link in links if link["url"].endswith("#rule")]
        assert rule["url"].startswith("${page:raw}/?a=${symbol_a:percentencode}&")
        for name in ("symbol_b", "timeframe", "window", "lookback", "threshold", "prices"):
            assert f"=${{{name}:percentencode}}" in rule["url"]
