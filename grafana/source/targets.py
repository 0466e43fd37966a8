"""Queries of panels, variables and annotations, as each data source takes them."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import DataSourceRef

from grafana.source.style import KEPT, LAKE, PANELS, PROMETHEUS


class LakeQuery(Dataquery):
    """A query of the SQLite data source.

    The browser uses `rawQueryText` and alerting `queryText`: they are the same. Only columns
    named in `times` are times, in Unix seconds. The format is always a table: a time series
    without rows would be an error.
    """

    def __init__(
        self, sql: str, times: Sequence[str], ref_id: str, source: DataSourceRef = LAKE
    ) -> None:
        self.sql = sql
        self.source = source
        self.times = list(times)
        self.ref_id = ref_id

    def to_json(self) -> dict[str, object]:
        """The query as Grafana stores it."""
        return {
            "datasource": self.source,
            "refId": self.ref_id,
            "queryType": "table",
            "rawQueryText": self.sql,
            "queryText": self.sql,
            "timeColumns": self.times,
        }


class _PanelQuery(Dataquery):
    def __init__(self, panel_id: int) -> None:
        self.panel_id = panel_id

    def to_json(self) -> dict[str, object]:
        return {"datasource": PANELS, "refId": "A", "panelId": self.panel_id}


class _Built(Builder[Dataquery]):
    def __init__(self, query: Dataquery) -> None:
        self._query = query

    def build(self) -> Dataquery:
        return self._query


def lake(sql: str, times: Sequence[str] = ("time",), ref_id: str = "A") -> Builder[Dataquery]:
    """A query of the lake."""
    return _Built(LakeQuery(sql, times, ref_id))


def kept(sql: str, times: Sequence[str] = ("time",), ref_id: str = "A") -> Builder[Dataquery]:
    """A query of the back-tests that are kept."""
    return _Built(LakeQuery(sql, times, ref_id, KEPT))


def from_panel(panel_id: int) -> Builder[Dataquery]:
    """What another panel of the dashboard has queried."""
    return _Built(_PanelQuery(panel_id))


def promql(expression: str, legend: str = "", ref_id: str = "A") -> prometheus.Dataquery:
    """A query of Prometheus over the time range."""
    query = prometheus.Dataquery().datasource(PROMETHEUS).expr(expression).ref_id(ref_id).range()
    return query.legend_format(legend) if legend else query
