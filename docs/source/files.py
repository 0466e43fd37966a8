"""Which files are made, and of what."""

from pathlib import Path

from docs.source.alerts import alerts_table
from docs.source.commands import commands_text
from docs.source.drawio import as_svg
from docs.source.metrics import metrics_table
from docs.source.regions import with_regions
from docs.source.settings import settings_tables
from docs.source.statistics import statistics_tables

DOCS = Path(__file__).resolve().parent.parent


def generated() -> dict[Path, str]:
    """The text of every made file, by its path."""
    reference, drawing = DOCS / "reference.md", DOCS / "architecture.drawio"
    regions = {
        "settings": settings_tables(),
        "commands": commands_text(),
        **statistics_tables(),
        "metrics": metrics_table(),
        "alerts": alerts_table(DOCS.parent / "grafana" / "prometheus" / "rules.yml"),
    }
    return {
        reference: with_regions(reference.read_text(encoding="utf-8"), regions),
        DOCS / "architecture.svg": as_svg(drawing.read_text(encoding="utf-8")),
    }
