"""Metric families from tables of values: the parts that all sub-collectors share. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

SERIES_LABELS = ("pair", "timeframe", "window", "lookback")
ALERT_LABELS = (*SERIES_LABELS, "rule")

# Label values in the order of the family's labels, and the value; None is left out.
Sample = tuple[Sequence[object], float | None]


def gauge(name: str, text: str, samples: Iterable[Sample], labels: Sequence[str] = ()) -> Metric:
    """A gauge; a sample whose value is None is absent, which is neither 0 nor NaN."""
    return _with_samples(GaugeMetricFamily(name, text, labels=labels), samples)


def gauges(told: Mapping[str, Any], rows: Iterable[tuple[str, str, str]]) -> Iterator[Metric]:
    """A gauge without labels for each (key, name, text): the number that is `told` by its key."""
    for key, name, text in rows:
        yield gauge(name, text, [((), told.get(key))])


def counter(name: str, text: str, samples: Iterable[Sample], labels: Sequence[str] = ()) -> Metric:
    """A counter named `<name>_total`."""
    return _with_samples(CounterMetricFamily(name, text, labels=labels), samples)


def histogram(name: str, text: str, buckets: Sequence[tuple[str, float]], total: float) -> Metric:
    """A histogram: (upper bound, how many are not above it) up to +Inf, and the sum of all."""
    return HistogramMetricFamily(name, text, buckets=list(buckets), sum_value=total)


def _with_samples(
    family: GaugeMetricFamily | CounterMetricFamily, samples: Iterable[Sample]
) -> Metric:
    for values, number in samples:
        if number is not None:
            family.add_metric([str(value) for value in values], number)
    return family
