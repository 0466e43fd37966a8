"""A matrix of correlations as a table of coloured cells."""

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models import dashboard as model

from grafana.source.panels import NO_NUMBER, or_say, props, rows

# From blue to purple, dark enough for white letters in either theme.
_SCALE = model.FieldColorModeId.CONTINUOUS_BL_PU


# Else a cell without a number has the colour of the least one.
_WITHOUT = model.SpecialValueMap(
    options=model.DashboardSpecialValueMapOptions(
        match=model.SpecialValueMatch.NULL,
        result=model.ValueMappingResult(text=NO_NUMBER, color="transparent", index=0),
    )
)


def coloured_matrix(
    title: str, description: str, empty: str, columns: tuple[str, str, str]
) -> table.Panel:
    """Rows of (row, column, correlation) as a matrix; `empty` is said if there are none.

    The colours go from the least to the greatest that is there: of coins that all move together
    they still tell which do so more.
    """
    row, column, value = columns
    panel = rows(title, description, empty)
    panel.decimals(2).color_scheme(build.FieldColor().mode(_SCALE))
    panel.override_by_field_type(
        "number",
        props(
            {
                "custom.cellOptions": {"type": "color-background", "mode": "basic"},
                "custom.align": "center",
                "custom.minWidth": 110,
                "mappings": [_WITHOUT],
            }
        ),
    )
    panel.override_by_name(f"{row}\\{column}", props({"displayName": " ", "custom.width": 130}))
    panel.with_transformation(or_say())
    pivot = {"columnField": column, "rowField": row, "valueField": value, "emptyValue": "null"}
    return panel.with_transformation(
        model.DataTransformerConfig(id_val="groupingToMatrix", options=pivot)
    )
