"""Metrics of pair analytics: the latest row of each series, and the slow statistics."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from prometheus_client.core import Metric

from exporter.families import SERIES_LABELS, Sample, gauge
from spreadlake.lake.analytics.definition import lake_prices
from spreadlake.series import TABLES, Prices
from spreadlake.statistics import PAIR_STATISTICS, SLOW_STATISTICS, Statistic
from spreadlake.status import LakeSnapshot, read_latest, read_latest_tests

_VALUES = [one for one in PAIR_STATISTICS if one.metric]
_TESTS = [one for one in SLOW_STATISTICS if one.metric]
_TESTS_KEY = ("pair", "timeframe", "lookback_bars")


class Latest(NamedTuple):
    """The latest row of one series; the values are those of the statistics with a metric."""

    key: tuple[object, ...]
    state: str
    time: int | None
    values: tuple[float | None, ...]


def read_pairs(look: LakeSnapshot) -> list[Latest]:
    """Every configured series with its latest row."""
    with look.database(look.lake.analytics_db) as db:
        columns = (*TABLES["pair_analytics"].key, "state", "time", *(one.column for one in _VALUES))
        rows = [] if db is None else read_latest(db, columns)
    return [Latest(row[:4], row[4], row[5], row[6:]) for row in rows]


def read_pair_tests(look: LakeSnapshot) -> list[tuple[Any, ...]]:
    """Pair, timeframe and lookback of every configured series, then its latest slow statistics."""
    with look.database(look.lake.analytics_db) as db:
        columns = (*_TESTS_KEY, *(one.column for one in _TESTS))
        return [] if db is None else read_latest_tests(db, columns)


def read_prices_of(look: LakeSnapshot) -> Prices | None:
    """What pair analytics are computed on; None while there are none."""
    with look.database(look.lake.analytics_db) as db:
        return None if db is None else lake_prices(db)


def prices_families(prices: Prices | None) -> Iterator[Metric]:
    """One for the whole lake: its pair analytics are all on the same prices."""
    yield gauge(
        "spreadlake_pair_prices_info",
        "What pair analytics are computed on: raw or log closes.",
        [] if prices is None else [((prices,), 1.0)],
        ["prices"],
    )


def pair_families(pairs: Sequence[Latest]) -> Iterator[Metric]:
    """A gauge for each statistic; what has no meaning in a series' state is absent."""
    for at, one in enumerate(_VALUES):
        samples = [(pair.key, pair.values[at]) for pair in pairs]
        yield _gauge(one, samples, SERIES_LABELS)
    yield gauge(
        "spreadlake_pair_last_bar_timestamp_seconds",
        "Open of the latest bar that was analysed.",
        [(pair.key, pair.time) for pair in pairs],
        SERIES_LABELS,
    )
    yield gauge(
        "spreadlake_pair_ready",
        "1 where the series has a z-score; 0 while it is warming, stale or flat.",
        [(pair.key, float(pair.state == "ready")) for pair in pairs],
        SERIES_LABELS,
    )


def pair_test_families(tests: Sequence[tuple[Any, ...]]) -> Iterator[Metric]:
    """A gauge for each slow statistic, by pair, timeframe and lookback."""
    for at, one in enumerate(_TESTS, start=len(_TESTS_KEY)):
        yield _gauge(one, [(row[:3], row[at]) for row in tests], ("pair", "timeframe", "lookback"))


def _gauge(one: Statistic, samples: Sequence[Sample], labels: Sequence[str]) -> Metric:
    assert one.metric is not None  # noqa: S101 for the type checker
    return gauge(one.metric.name, one.metric.text, samples, labels)
