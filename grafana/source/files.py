"""Which files are generated, and what is in them."""

import json
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana.source.backtest import backtest_dashboard
from grafana.source.overview import overview_dashboard
from grafana.source.pair import pair_dashboard
from grafana.source.pipeline import pipeline_dashboard
from grafana.source.rules import grafana_rules, prometheus_rules
from grafana.source.runbook import runbook_dashboard
from grafana.source.screen import screen_dashboard

ROOT = Path(__file__).resolve().parent.parent


def generated() -> dict[Path, str]:
    """Text by path."""
    boards = [
        pair_dashboard(),
        overview_dashboard(),
        screen_dashboard(),
        backtest_dashboard(),
        pipeline_dashboard(),
        runbook_dashboard(ROOT.parent / "docs" / "runbook.md"),
    ]
    files = {_path(board): _text(board) for board in boards}
    files[ROOT / "provisioning" / "alerting" / "rules.yaml"] = grafana_rules()
    files[ROOT / "prometheus" / "rules.yml"] = prometheus_rules()
    return files


def _path(board: Dashboard) -> Path:
    return ROOT / "dashboards" / f"{board.build().uid}.json"


def _text(board: Dashboard) -> str:
    model = board.build()
    for link in model.links or ():
        # The SDK would put it into a menu, where nobody looks.
        link.placement = None  # type: ignore[assignment]
    for panel in model.panels or ():
        if panel.type_val == "xychart":
            # Without a version Grafana takes the options for those of before 11.1.
            panel.plugin_version = "12.0.0"  # type: ignore[union-attr]
    return json.dumps(model, cls=JSONEncoder, indent=1, ensure_ascii=False) + "\n"
