"""The alert rules of Prometheus and of Grafana, made from the one list of alerts."""

import re
from collections.abc import Iterable

import yaml

from grafana.source.alerts import ALERTS, PAIR_ALERT, Alert
from grafana.source.frame import OVERVIEW_UID, PAIR_UID, PIPELINE_UID, RUNBOOK_UID

_NOTE = "# Written by `make dashboards` from grafana/source/alerts.py.\n"
_INTERVAL = "10s"
_VALUE = re.compile(r"\{\{ \$value(.*?) \}\}")
_EVERY = (PAIR_ALERT, *ALERTS)

# Without data an alert has no labels, and Grafana expands the texts all the same.
_PAIR_LINK = (
    f"{{{{ externalURL }}}}d/{PAIR_UID}"
    "{{ with $labels.pair }}"
    '?var-symbol_a={{ reReplaceAll "/.*" "" . }}&var-symbol_b={{ reReplaceAll ".*/" "" . }}'
    "&var-timeframe={{ $labels.timeframe }}&var-window={{ $labels.window }}"
    "&var-lookback={{ $labels.lookback }}"
    "{{ with $values.T }}&var-threshold={{ .Value }}{{ end }}"
    "{{ with $values.E }}{{ if gt .Value -1000000.0 }}&var-prices=log{{ end }}{{ end }}{{ end }}"
)
_PIPELINE_LINK = f"{{{{ externalURL }}}}d/{PIPELINE_UID}"
# A query without any data would keep the whole rule from firing: what no screen said is a number
# below all that one can say.
_NOT_SAID = -1e9
_SAID = "{{ if gt .Value -1000000.0 }}"
_PAIR_DESCRIPTION = (
    f"{{{{ $labels.pair }}}} {{{{ with $values.E }}}}{_SAID}{{{{ with $values.Z }}}}"
    "{{ if gt .Value 0.0 }}short{{ else }}long{{ end }} the spread: {{ end }}z{{ else }}"
    "z reached{{ end }}{{ else }}z reached{{ end }} "
    '{{ with $values.Z }}{{ printf "%+.2f" .Value }}{{ end }}'
    ', threshold {{ with $values.T }}{{ printf "%g" .Value }}{{ end }}'
    f'{{{{ with $values.E }}}}{_SAID}, edge {{{{ printf "%.1f" .Value }}}} bps after costs'
    f'{{{{ with $values.H }}}}{_SAID}, half-life {{{{ printf "%.1f" .Value }}}} bars'
    "{{ end }}{{ end }}{{ else }}, within the last minute{{ end }}{{ end }}"
    " (rule {{ $labels.rule }}, {{ $labels.timeframe }} bars,"
    " window {{ $labels.window }}, lookback {{ $labels.lookback }})."
)
# The same labels as the alert's own query, so that their values can be shown with it.
_THRESHOLD = "max_over_time(spreadlake_pair_alert_threshold[1m])"
# The z-score that was farthest from zero in the minute that the alert looks back over.
_HIGH, _LOW = (f"{side}_over_time(spreadlake_pair_zscore[1m])" for side in ("max", "min"))
# That of an alert which the screen opened is the one that opened it, as are edge and half-life; * 1
# takes the name off the labels, which are then those of the alert.
_SCREENED = {
    name: f"last_over_time(spreadlake_screen_alert_{name}[1m]) * 1"
    for name in ("zscore", "edge_bps", "half_life_bars")
}
_ZSCORE = (
    f"{_SCREENED['zscore']} or (({_HIGH} >= -{_LOW}) or {_LOW})"
    f" * on(pair, timeframe, window, lookback) group_right() ({_THRESHOLD} * 0 + 1)"
)


def runbook_panel(name: str) -> int:
    """Id of the alert's panel on the runbook dashboard."""
    return [alert.name for alert in _EVERY].index(name) + 1


def prometheus_rules() -> str:
    """A rule file for Prometheus."""
    groups = [
        {"name": "spreadlake-pairs", "rules": [_prometheus_rule(PAIR_ALERT)]},
        {"name": "spreadlake-pipeline", "rules": [_prometheus_rule(alert) for alert in ALERTS]},
    ]
    return _NOTE + _yaml({"groups": groups})


def grafana_rules() -> str:
    """A provisioning file for Grafana."""
    pair = _grafana_rule(
        PAIR_ALERT,
        {
            "A": PAIR_ALERT.expr.removesuffix(" > 0"),
            "Z": _ZSCORE,
            "T": _THRESHOLD,
            "E": f"{_SCREENED['edge_bps']} or {_THRESHOLD} * 0 + {_NOT_SAID:.0f}",
            "H": f"{_SCREENED['half_life_bars']} or {_THRESHOLD} * 0 + {_NOT_SAID:.0f}",
        },
    )
    pair["annotations"] = {
        "summary": PAIR_ALERT.summary,
        "description": _PAIR_DESCRIPTION,
        "dashboard": _PAIR_LINK,
        "runbook_url": _runbook(PAIR_ALERT),
    }
    pair["dashboardUid"], pair["panelId"] = OVERVIEW_UID, 5
    groups = [_group("pairs", [pair]), _group("pipeline", map(_pipeline_rule, ALERTS))]
    return _NOTE + _yaml({"apiVersion": 1, "groups": groups})


def _prometheus_rule(alert: Alert) -> dict[str, object]:
    return {
        "alert": alert.name,
        "expr": alert.expr,
        "for": alert.lasting,
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": f"docs/runbook.md#{alert.name.lower()}",
        },
    }


def _group(name: str, rules: Iterable[dict[str, object]]) -> dict[str, object]:
    return {
        "orgId": 1,
        "name": name,
        "folder": "spreadlake",
        "interval": _INTERVAL,
        "rules": list(rules),
    }


def _pipeline_rule(alert: Alert) -> dict[str, object]:
    rule = _grafana_rule(alert, {"A": alert.expr})
    rule["annotations"] = {
        "summary": alert.summary,
        "description": _VALUE.sub(_of_query_a, alert.description),
        "dashboard": _PIPELINE_LINK,
        "runbook_url": _runbook(alert),
    }
    rule["dashboardUid"], rule["panelId"] = PIPELINE_UID, 1
    return rule


def _of_query_a(match: re.Match[str]) -> str:
    """`$value` in Grafana's words; without data there is none, and then nothing is said."""
    return f"{{{{ with $values.A }}}}{{{{ .Value{match[1]} }}}}{{{{ end }}}}"


def _grafana_rule(alert: Alert, queries: dict[str, str]) -> dict[str, object]:
    condition = {
        "refId": "C",
        "datasourceUid": "__expr__",
        "relativeTimeRange": {"from": 60, "to": 0},
        "model": {
            "refId": "C",
            "type": "threshold",
            "expression": "A",
            "conditions": [{"evaluator": {"type": "gt", "params": [0]}}],
        },
    }
    return {
        "uid": f"spreadlake-{alert.name.lower()}",
        "title": alert.name,
        "condition": "C",
        "data": [*(_query(ref, expr) for ref, expr in queries.items()), condition],
        "noDataState": "OK",
        "execErrState": "Error",
        "for": alert.lasting,
        "labels": {"severity": alert.severity},
    }


def _query(ref_id: str, expression: str) -> dict[str, object]:
    return {
        "refId": ref_id,
        "datasourceUid": "spreadlake-prometheus",
        "relativeTimeRange": {"from": 60, "to": 0},
        "model": {"refId": ref_id, "expr": expression, "instant": True, "range": False},
    }


def _runbook(alert: Alert) -> str:
    return f"{{{{ externalURL }}}}d/{RUNBOOK_UID}?viewPanel=panel-{runbook_panel(alert.name)}"


def _yaml(content: dict[str, object]) -> str:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=10_000)
