"""The runbook as a dashboard, so that an alert can link to its page wherever Grafana runs."""

import re
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import text
from grafana_foundation_sdk.models.text import TextMode

from grafana.source.frame import RUNBOOK_UID, framed
from grafana.source.panels import placed
from grafana.source.rules import runbook_panel

_SECTION = re.compile(r"^## (\w+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def sections(markdown: str) -> dict[str, str]:
    """Text of each alert's section, by the name of the alert."""
    return {name: body.strip() for name, body in _SECTION.findall(markdown)}


def runbook_dashboard(path: Path) -> build.Dashboard:
    """One text panel per alert, from the runbook at `path`."""
    board = framed("Runbook", RUNBOOK_UID, "What each alert means, and what to do about it", [])
    for at, (name, body) in enumerate(sections(path.read_text("utf-8")).items()):
        panel = text.Panel().title(name).mode(TextMode.MARKDOWN).content(body)
        board.with_panel(placed(panel, runbook_panel(name), 12 * (at % 2), 9 * (at // 2), 12, 9))
    return board.refresh("")
