"""The metrics as a table, from a scrape of an empty lake."""

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client.core import Metric

from docs.source.regions import table
from exporter.scrape import LakeMetrics, parts_of
from spreadlake.config import load_settings
from spreadlake.lake import Lake, open_analytics_writer, open_ticks_writer


def metrics_table() -> str:
    """Every metric with its labels, in the order of a scrape."""
    rows = [
        (
            f"`{family.name}{'_total' if family.type == 'counter' else ''}`",
            family.type,
            ", ".join(f"`{label}`" for label in _labels(family)),
            family.documentation,
        )
        for family in _families()
    ]
    return table(("metric", "type", "labels", "what it tells"), rows)


def _labels(family: Metric) -> tuple[str, ...]:
    names = tuple(getattr(family, "_labelnames", ()))
    return (*names, "le") if family.type == "histogram" else names


def _families() -> list[Metric]:
    with TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        with closing(open_ticks_writer(lake)), closing(open_analytics_writer(lake)):
            return list(LakeMetrics(lake, parts_of(load_settings(None).symbols)).collect())
