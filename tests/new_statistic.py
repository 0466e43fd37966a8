"""`python -m tests.new_statistic LAKE VERSION`: spreadlake as it is with one statistic more.

It is declared, has its schema step and its value, as CONTRIBUTING says; the job brings the lake at
LAKE up to `VERSION` of `analytics.db`. What is printed as JSON is where the statistic then shows.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from spreadlake import statistics

COLUMN, METRIC = "twice_beta", "spreadlake_pair_twice_beta"


def declare(version: int) -> None:
    """To be called before anything else is imported, which reads the declarations then."""
    new = statistics.Statistic(
        COLUMN,
        "twice the hedge ratio",
        statistics.Metric(METRIC, "Twice the hedge ratio."),
        statistics.Shown("2β", 2, "twice of it"),
        since=version,
    )
    statistics.PAIR_STATISTICS = (*statistics.PAIR_STATISTICS, new)
    from spreadlake.lake.databases import schema

    schema.ANALYTICS_STEPS.append(statistics.columns_added(version))
    from spreadlake.quant.pair_rows import PairRows

    init = PairRows.__init__

    def with_new(self: PairRows, *args: Any, **values: Any) -> None:
        init(self, *args, **values)
        self.numbers[COLUMN] = 2 * self.numbers["beta"]

    PairRows.__init__ = with_new  # type: ignore[method-assign]


def shown(root: Path) -> Iterator[tuple[str, Any]]:
    """Each place and what it has of the statistic, once the job has run."""
    from analytics_job.job import AnalyticsJob
    from docs.source.metrics import metrics_table
    from docs.source.statistics import statistics_tables
    from exporter.scrape import LakeMetrics, parts_of
    from grafana.source.pair_newest import NEWEST
    from spreadlake.lake import Lake, open_reader
    from tests.grafana.rendering import fill, query
    from tests.running import invoke
    from tests.test_statistics import CONFIG, SERIES

    lake = Lake(root)
    with closing(AnalyticsJob(lake, CONFIG)) as job:
        job.step()
    with closing(open_reader(lake.analytics_db)) as db:
        yield "rows", db.execute(f"SELECT time, beta, {COLUMN} FROM pair_analytics").fetchall()
    families = {family.name: family for family in LakeMetrics(lake, parts_of(())).collect()}
    yield "metric", [sample.value for sample in families[METRIC].samples]
    yield "csv", invoke("csv", "--data", root, "-o", "-", cwd=root).stdout.splitlines()
    yield "panel", query(root, fill(NEWEST, 0, 4e9, 1.0, **SERIES)).row()
    yield "reference", statistics_tables()["pair_analytics"].splitlines()
    yield "metrics", metrics_table().splitlines()


if __name__ == "__main__":
    declare(int(sys.argv[2]))
    print(json.dumps(dict(shown(Path(sys.argv[1])))))
