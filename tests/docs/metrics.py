"""The metrics of the exporter, as it names them."""

import re
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client.core import Metric

from exporter.scrape import LakeMetrics, parts_of
from spreadlake.config import load_settings
from tests.fixture_lake import make_lake

_NAME = re.compile(r"\bspreadlake_[a-z_]+\b")


@cache
def exported() -> tuple[Metric, ...]:
    """All families of a scrape of a lake where everything has a value."""
    with TemporaryDirectory() as folder:
        lake = make_lake(Path(folder))
        return tuple(LakeMetrics(lake, parts_of(load_settings(None).symbols)).collect())


def exported_names() -> set[str]:
    """Names as Prometheus stores them: a counter's end in _total, a histogram has three."""
    parts = {
        f"{family.name}_{part}"
        for family in exported()
        if family.type == "histogram"
        for part in ("bucket", "sum", "count")
    }
    return parts | {name_of(family) for family in exported()}


def name_of(family: Metric) -> str:
    """The name of a family's samples."""
    return f"{family.name}_total" if family.type == "counter" else family.name


def labels_of(family: Metric) -> set[str]:
    """The labels of a family."""
    return {label for sample in family.samples for label in sample.labels}


def names_in(text: str) -> set[str]:
    """Everything in a text that looks like one of our metrics."""
    return set(_NAME.findall(text))
