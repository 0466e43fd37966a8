"""Builders that all panels share: one look for lines, numbers and tables."""

from collections.abc import Mapping
from typing import Protocol, Self, TypeVar

from grafana_foundation_sdk.builders import common as build_common
from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    GridPos,
)

from grafana.source.style import NEUTRAL, fixed, mapped

# A column that only links and sorting need.
HIDDEN: dict[str, object] = {"custom.hidden": True, "custom.hideFrom": {"viz": True}}
NO_NUMBER = "–"


class _Panel(Protocol):
    def id(self, id_val: int, /) -> Self: ...
    def grid_pos(self, grid_pos: GridPos, /) -> Self: ...
    def datasource(self, datasource: DataSourceRef, /) -> Self: ...
    def with_target(self, target: Builder[Dataquery], /) -> Self: ...


P = TypeVar("P", bound=_Panel)


def placed(panel: P, number: int, x: int, y: int, w: int, h: int) -> P:
    """The panel with its id and its place on the grid of 24 columns."""
    return panel.id(number).grid_pos(GridPos(x=x, y=y, w=w, h=h))


def reads(panel: P, source: DataSourceRef, *queries: Builder[Dataquery]) -> P:
    """The panel with its queries."""
    panel.datasource(source)
    for query in queries:
        panel.with_target(query)
    return panel


def props(values: Mapping[str, object]) -> list[DynamicConfigValue]:
    """Properties of a field, by Grafana's ids such as `custom.lineWidth`."""
    return [DynamicConfigValue(id_val=key, value=value) for key, value in values.items()]


def coloured_text(*patterns: tuple[str, str]) -> list[DynamicConfigValue]:
    """A cell whose text has the colour of the first pattern that it matches."""
    return props({"mappings": mapped(*patterns), "custom.cellOptions": {"type": "color-text"}})


def line(
    name: str,
    color: str,
    width: float = 1.5,
    more: Mapping[str, object] | None = None,
    *,
    dashed: bool = False,
    quiet: bool = False,
) -> list[DynamicConfigValue]:
    """How one series is drawn; `quiet` leaves it out of legend and tooltip."""
    style: dict[str, object] = {
        "displayName": name,
        "color": {"mode": "fixed", "fixedColor": color},
        "custom.lineWidth": width,
    }
    if quiet or not width:
        # The dot under the mouse is on the nearest series, and would lie beside the line; twice
        # this is its size, and for 0 Grafana would keep that of before.
        style["custom.pointSize"] = 1
    if dashed:
        style["custom.lineStyle"] = {"fill": "dash", "dash": [6, 6]}
    if quiet:
        style["custom.hideFrom"] = {"legend": True, "tooltip": True, "viz": False}
    return props(style | dict(more or {}))


def envelope(panel: timeseries.Panel, low: str, high: str, color: str) -> None:
    """Shades from one series to another: the least and the greatest of what a point stands for."""
    edge = {"custom.lineWidth": 0, "custom.fillOpacity": 0}
    panel.override_by_name(low, line(low, color, 0, edge, quiet=True))
    shade = {"custom.fillBelowTo": low, "custom.fillOpacity": 20}
    panel.override_by_name(high, line(high, color, 0, shade, quiet=True))


def lines(title: str, description: str) -> timeseries.Panel:
    """A chart over time: thin lines, no points, gaps stay gaps."""
    return (
        timeseries.Panel()
        .title(title)
        .description(description)
        .line_width(1.5)
        .fill_opacity(0)
        .show_points(common.VisibilityMode.NEVER)
        .span_nulls(False)
        .axis_border_show(False)
        .legend(
            build_common.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(
            build_common.VizTooltipOptions()
            .mode(common.TooltipDisplayMode.MULTI)
            .sort(common.SortOrder.NONE)
        )
    )


def number(title: str, field: str = "", description: str = "") -> stat.Panel:
    """One number or text, the last of `field`, in the theme's text colour unless told otherwise.

    Without a field it takes every number.
    """
    fields = f"/^{field}$/" if field else ""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .color_mode(common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.NONE)
        .justify_mode(common.BigValueJustifyMode.CENTER)
        .text_mode(common.BigValueTextMode.VALUE)
        .color_scheme(fixed(NEUTRAL))
        .no_value(NO_NUMBER)
        .reduce_options(
            build_common.ReduceDataOptions().calcs(["last"]).fields(fields).values(False)
        )
    )


def rows(title: str, description: str, empty: str) -> table.Panel:
    """A table; `empty` is what it says where there is no row, in the place of all cells."""
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .no_value(empty)
        .cell_height(common.TableCellHeight.SM)
        .show_header(True)
    )
    # Cells without a value would each say it too.
    return panel.override_by_regexp("/.*/", props({"noValue": NO_NUMBER}))


def columns(panel: table.Panel, widths: Mapping[str, int]) -> table.Panel:
    """The panel with columns of these widths, in pixels."""
    for name, width in widths.items():
        panel.override_by_name(name, props({"custom.width": width}))
    return panel


def keep(*names: str) -> DataTransformerConfig:
    """Keeps only the time and these fields of what was queried."""
    return DataTransformerConfig(
        id_val="filterFieldsByName", options={"include": {"names": ["time", *names, "_"]}}
    )


def decimals(column: str, fields: str) -> DataTransformerConfig:
    """Gives the fields that match so many decimals as the last row of the column says."""
    options = {
        "configRefId": "A",
        "applyTo": {"id": "byRegexp", "options": fields},
        "mappings": [{"fieldName": column, "handlerKey": "decimals", "reducerId": "lastNotNull"}],
    }
    return DataTransformerConfig(id_val="configFromData", options=options)


def or_say(constant: str = "_") -> DataTransformerConfig:
    """Without rows the panel then says its `no_value`, where Grafana would draw an empty frame.

    The query has a column that is the same in all rows: rows make one frame, no rows make none.
    The column `_` is only for this, and is not shown.
    """
    shown = constant != "_"
    options = {"fields": [constant], "keepFields": shown, "naming": {"asLabels": False}}
    return DataTransformerConfig(id_val="partitionByValues", options=options)
