"""Stands in for the browser and the SQLite plugin: fills in variables, runs the SQL, judges it."""

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.paths import ROOT

DASHBOARDS = ROOT / "grafana" / "dashboards"
# Of the data sources of spreadlake, by what a query names.
DATABASES = {"${datasource}": "analytics.db", "${kept}": "backtests.db"}
DEFAULTS = {
    "backtest": "kept",
    "pair": "all",
    "screen": "1m 240 60",
    "qvalue": "1",
    "volume": "0",
    "symbol_a": "BTCUSDT",
    "symbol_b": "ETHUSDT",
    "timeframe": "1s",
    "window": "60",
    "lookback": "300",
    "prices": "",
    "threshold": "2",
    "rollups": "pair_rollups",
}
_QUOTED = re.compile(r"\$\{(\w+):sqlstring\}")
_LEFT_OVER = re.compile(r"\$\{?\w+")


@dataclass(frozen=True)
class Table:
    """What a query gave."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def column(self, name: str) -> list[Any]:
        at = self.columns.index(name)
        return [row[at] for row in self.rows]

    def row(self, number: int = 0) -> dict[str, Any]:
        return dict(zip(self.columns, self.rows[number], strict=True))


@dataclass(frozen=True)
class LakeQuery:
    """A query of the lake in a dashboard, which columns are times, and which database it reads."""

    where: str
    sql: str
    times: tuple[str, ...] = ()
    database: str = "analytics.db"


def dashboard(uid: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((DASHBOARDS / f"{uid}.json").read_text("utf-8"))
    return content


def all_dashboards() -> list[dict[str, Any]]:
    return [dashboard(path.stem) for path in sorted(DASHBOARDS.glob("*.json"))]


def panels_of(board: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Its panels, those in rows that are closed among them."""
    return [one for panel in board["panels"] for one in (panel, *panel.get("panels", ()))]


def lake_queries(board: Mapping[str, Any]) -> Iterator[LakeQuery]:
    """Every query of panels, marks and variables."""
    for panel in panels_of(board):
        for target in panel.get("targets", []):
            if "rawQueryText" in target:
                assert target["rawQueryText"] == target["queryText"], panel["title"]
                assert target["queryType"] == "table", "a time series without rows is an error"
                database = DATABASES[target["datasource"]["uid"]]
                times = tuple(target["timeColumns"])
                yield LakeQuery(panel["title"], target["queryText"], times, database)
    for marks in board.get("annotations", {}).get("list", []):
        if "target" in marks and "rawQueryText" in marks["target"]:
            target = marks["target"]
            assert target["rawQueryText"] == target["queryText"], marks["name"]
            database, times = DATABASES[target["datasource"]["uid"]], target["timeColumns"]
            yield LakeQuery(f"marks {marks['name']}", target["queryText"], tuple(times), database)
    for variable in board.get("templating", {}).get("list", []):
        if variable["type"] == "query":
            database = DATABASES[variable["datasource"]["uid"]]
            yield LakeQuery(f"variable {variable['name']}", variable["query"], (), database)


def fill(sql: str, since: float, until: float, step: float = 1.0, **variables: str) -> str:
    """The SQL as Grafana sends it: times in ms, strings quoted and escaped."""
    values = DEFAULTS | variables
    filled = _QUOTED.sub(lambda match: "'" + values[match[1]].replace("'", "''") + "'", sql)
    for name, seconds in (("__from", since), ("__to", until), ("__interval_ms", step)):
        filled = filled.replace(f"${name}", str(int(seconds * 1000)))
    return filled


def query(lake: Path, sql: str, now: float | None = None, database: str = "analytics.db") -> Table:
    """Runs the SQL as the data source does: read-only, at most one statement.

    At the Unix time `now` where one is given, however long the test has taken so far.
    """
    if now is not None:
        moment = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%S.%f}"
        sql = re.sub(r"(strftime\('%\w', )'now'", rf"\1'{moment}'", sql)
    left = _LEFT_OVER.search(re.sub(r"'[^']*'", "", sql))
    assert left is None, f"{left[0] if left else ''} is filled in by nobody"
    uri = f"file:{lake / database}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as db:
        cursor = db.execute(sql)
        return Table(tuple(column[0] for column in cursor.description), cursor.fetchall())


def judge(found: Table, times: tuple[str, ...], where: str) -> None:
    """The plugin's rules that break silently: what is a time, and what type a column has."""
    for name in times:
        for value in found.column(name):
            assert value is None or (isinstance(value, int) and 1e9 < value < 4e9), (
                f"{where}: {name} = {value!r} is not in Unix seconds"
            )
    for at, name in enumerate(found.columns):
        kinds = [type(row[at]) for row in found.rows if row[at] is not None]
        if kinds and kinds[0] is int:
            assert float not in kinds, (
                f"{where}: {name} begins with a whole number, so it stays one"
            )
        assert len({str if kind is str else float for kind in kinds}) <= 1, f"{where}: {name}"
