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
    "{{ with $values.L }}{{ if gt .Value 0.0 }}&var-prices=log{{ end }}{{ end }}"
    # Half of the time before the bar that opened it, half after.
    '{{ with $values.M }}{{ if gt .Value 0.0 }}&time={{ printf "%.0f" .Value }}000&time.window='
    '{{ with $labels.timeframe }}{{ if match "[0-9]s" . }}1800000'
    '{{ else if match "[0-9]m" . }}86400000{{ else }}2592000000{{ end }}{{ end }}'
    "{{ end }}{{ end }}{{ end }}"
)
_PIPELINE_LINK = f"{{{{ externalURL }}}}d/{PIPELINE_UID}"
# A query without any data would keep the whole rule from firing: what is not known is a number
# below all that can be.
_NOT_SAID = "-1000000000"
_SAID = "{{ if gt .Value -1000000.0 }}"
_HEADLINE = (
    "{{ $labels.pair }} {{ with $values.Z }}{{ if gt .Value 0.0 }}short{{ else }}long{{ end }}"
    ' the spread: z {{ printf "%+.2f" .Value }}{{ end }}'
)


def _told(query: str, format_: str) -> str:
    """A number of the event, where it is known."""
    return f"{{{{ with $values.{query} }}}}{_SAID}{format_}{{{{ end }}}}{{{{ end }}}}"


_PAIR_DESCRIPTION = (
    f'{_HEADLINE}, threshold {{{{ with $values.T }}}}{{{{ printf "%g" .Value }}}}{{{{ end }}}}'
    "{{ with $values.S }}" + _SAID + ", spread {{ with $values.Z }}"
    '{{ printf "%+.2f" .Value }}{{ end }}σ = {{ printf "%+.1f" .Value }} bps{{ end }}{{ end }}'
    + _told("E", ', edge {{ printf "%.1f" .Value }} bps after costs')
    + _told("H", ', half-life {{ printf "%.1f" .Value }} bars')
    + " (rule {{ $labels.rule }}, {{ $labels.timeframe }} bars,"
    " window {{ $labels.window }}, lookback {{ $labels.lookback }})."
)
# The same labels as the alert's own query, so that their values can be shown with it. They reach
# further back than it: at its end there is something to tell as well.
_REACH = "10m"
_THRESHOLD = f"max_over_time(spreadlake_pair_alert_threshold[{_REACH}])"


def _last(metric: str, otherwise: str) -> str:
    """A number of the newest event of each series; * 1 takes the name off the labels."""
    last = f"last_over_time(spreadlake_{metric}[{_REACH}]) * 1"
    return f"{last} or {_THRESHOLD} * 0 + {otherwise}"


_ZSCORE = _last("pair_alert_zscore", "0")


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
            "S": _last("pair_alert_spread_bps", _NOT_SAID),
            "E": _last("screen_alert_edge_bps", _NOT_SAID),
            "H": _last("pair_alert_half_life_bars", _NOT_SAID),
            "M": _last("pair_alert_opened_timestamp_seconds", "0"),
            "L": _last("pair_alert_log_prices", "0"),
            "O": f"1000000 - abs({_ZSCORE})",
        },
    )
    pair["annotations"] = {
        "summary": PAIR_ALERT.summary,
        "headline": _HEADLINE,
        "description": _PAIR_DESCRIPTION,
        "dashboard": _PAIR_LINK,
        "runbook_url": _runbook(PAIR_ALERT),
        # Messages are sorted by it (templates.yaml).
        "order": '{{ with $values.O }}{{ printf "%014.6f" .Value }}{{ end }}',
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
