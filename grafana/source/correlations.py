"""A matrix of correlations as a table of coloured cells."""

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig

from grafana.source.panels import or_say, props, rows
from grafana.source.style import by_steps, steps

# Blue for moving against each other, amber for moving together, nothing for neither; all dark
# enough for white letters in either theme.
_SCALE = (
    (-2.0, "#005F94"),  # from below -1, because a cell without a number has the base colour
    (-0.7, "#2F6F96"),
    (-0.4, "#5F7F92"),
    (-0.1, "transparent"),
    (0.1, "#857A66"),
    (0.4, "#8F7338"),
    (0.7, "#996300"),
    (0.999999, "transparent"),
)


def coloured_matrix(
    title: str, description: str, empty: str, columns: tuple[str, str, str]
) -> table.Panel:
    """Rows of (row, column, correlation) as a matrix; `empty` is said if there are none."""
    row, column, value = columns
    panel = rows(title, description, empty)
    panel.decimals(2).color_scheme(by_steps()).thresholds(steps("transparent", *_SCALE))
    panel.override_by_field_type(
        "number",
        props(
            {
                "custom.cellOptions": {"type": "color-background", "mode": "basic"},
                "custom.align": "center",
                "custom.minWidth": 60,
            }
        ),
    )
    panel.override_by_name(f"{row}\\{column}", props({"displayName": " ", "custom.width": 130}))
    panel.with_transformation(or_say())
    pivot = {"columnField": column, "rowField": row, "valueField": value, "emptyValue": "null"}
    return panel.with_transformation(
        DataTransformerConfig(id_val="groupingToMatrix", options=pivot)
    )
