"""The alerts as a table, from the rules that Prometheus loads."""

from pathlib import Path

import yaml

from docs.source.regions import table


def alerts_table(path: Path) -> str:
    """Every alert with when it fires and what it means."""
    groups = yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    rows = [
        (
            f"[`{rule['alert']}`](runbook.md#{rule['alert'].lower()})",
            rule["labels"]["severity"],
            str(rule.get("for", "0s")),
            rule["annotations"]["summary"],
        )
        for group in groups
        for rule in group["rules"]
    ]
    return table(("alert", "severity", "after", "what happened"), rows)
