"""The overview: every configured pair by how far it is stretched, and what moves together."""

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import stat, table
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, MatcherConfig

from grafana.source import variables
from grafana.source.correlations import coloured_matrix
from grafana.source.frame import OVERVIEW_UID, SERIES_OF_ROW, framed, opens_pair
from grafana.source.overview_queries import MATRIX, OPEN_ALERTS, PAIRS, SPARKS, SUMMARY
from grafana.source.panels import (
    HIDDEN,
    columns,
    number,
    or_say,
    placed,
    props,
    reads,
    rows,
)
from grafana.source.style import (
    AGES,
    ALARM,
    GOOD,
    LAKE,
    LEG_A,
    NEUTRAL,
    PANELS,
    WARN,
    by_steps,
    mapped,
    steps,
)
from grafana.source.targets import from_panel, lake

_SUMMARY = 1
_CHOSEN = "&".join(
    f"${{{name}:queryparam}}" for name in ("timeframe", "window", "lookback", "threshold")
)
_FOR_LINK = (
    "symbol_a", "symbol_b", "timeframe", "window_bars", "lookback_bars", "threshold", "prices",
)  # fmt: skip
_OF_ALERT = (
    f"{SERIES_OF_ROW}&var-threshold=${{__data.fields.threshold}}"
    "&var-prices=${__data.fields.prices}"
)


def overview_dashboard() -> build.Dashboard:
    """All pairs on one page."""
    board = framed(
        "Overview",
        OVERVIEW_UID,
        "All configured pairs by |z|, the correlations of all symbols, and the open alerts",
        [
            variables.configured_timeframe(),
            variables.window(free=False),
            variables.lookback(free=False),
            variables.threshold(),
            variables.datasource(),
            variables.kept_prices(),
        ],
    )
    for panel in (*_numbers(), _pairs(), _open_alerts(), _matrix()):
        board.with_panel(panel)
    return board


def _numbers() -> list[stat.Panel]:
    stretched = number("Stretched: |z| ≥ ${threshold}", "stretched")
    stretched.mappings(mapped(("^0 of", NEUTRAL), (".*", ALARM)))
    alerts = number("Open alerts", "alerts").color_scheme(by_steps())
    alerts.thresholds(steps(NEUTRAL, (1, ALARM)))
    ready = number("Pairs with a z-score", "ready")
    ready.mappings(mapped(("^(\\d+) of \\1$", GOOD), (".*", WARN)))
    age = number("Age", "age_text", "Now less the time of the latest trade analysed.")
    age.mappings(AGES)
    reads(placed(stretched, _SUMMARY, 0, 0, 6, 3), LAKE, lake(SUMMARY, ()))
    for name, panel in enumerate((alerts, ready, age), start=2):
        reads(placed(panel, name, 6 * name - 6, 0, 6, 3), PANELS, from_panel(_SUMMARY))
    return [stretched, alerts, ready, age]


def _pairs() -> table.Panel:
    panel = rows(
        "Pairs by |z| · ${kept_prices} prices",
        "The latest bar of every configured pair, the most stretched first. "
        "A click on a pair opens it.",
        "No pair is configured with this timeframe, window and lookback.",
    )
    panel.override_by_name("pair", props({"links": [opens_pair(_CHOSEN)]}))
    cell = {"type": "color-text"}
    z = {"mappings": mapped(("^[▲▼]", ALARM), (".*", NEUTRAL)), "color": _UNCOLOURED}
    panel.override_by_name("z", props(z | {"custom.cellOptions": cell, "custom.align": "right"}))
    for name, title, digits in _NUMBERS:
        style: dict[str, object] = {"displayName": title}
        panel.override_by_name(name, props(style | ({"decimals": digits} if digits else {})))
    state = {"mappings": mapped(("^ready", GOOD), ("^warming", LEG_A), (".*", ALARM))}
    panel.override_by_name(
        "state", props(state | {"custom.cellOptions": cell, "custom.wrapText": True})
    )
    panel.override_by_name("Trend", props(_SPARKLINE))
    for name in ("symbol_a", "symbol_b", "size"):
        panel.override_by_name(name, props(HIDDEN))
    for step in _join_sparks():
        panel.with_transformation(step)
    reads(placed(columns(panel, _PAIR_WIDTHS), 5, 0, 3, 24, 11), LAKE)
    return panel.with_target(lake(PAIRS, (), "A")).with_target(lake(SPARKS, ("time",), "B"))


def _join_sparks() -> list[DataTransformerConfig]:
    sparks = MatcherConfig(id_val="byRefId", options="B")
    split = {"fields": ["pair"], "keepFields": False, "naming": {"asLabels": True}}
    order = ("pair", "z", "state", "Trend", "correlation", "return_correlation", "beta")
    places = {name: at for at, name in enumerate(order)}
    return [
        DataTransformerConfig(id_val="partitionByValues", filter_val=sparks, options=split),
        DataTransformerConfig(
            id_val="timeSeriesTable", options={"B": {"stat": "lastNotNull", "timeField": "time"}}
        ),
        DataTransformerConfig(
            id_val="renameByRegex", options={"regex": "Trend.*", "renamePattern": "Trend"}
        ),
        DataTransformerConfig(id_val="joinByField", options={"byField": "pair", "mode": "outer"}),
        DataTransformerConfig(id_val="sortBy", options={"sort": [{"field": "size", "desc": True}]}),
        DataTransformerConfig(
            id_val="organize",
            options={"indexByName": places},
        ),
    ]


def _open_alerts() -> table.Panel:
    panel = rows("Open alerts", "Events of the configured rules that are open.", "No open alert.")
    panel.override_by_name("pair", props({"links": [opens_pair(_OF_ALERT)]}))
    for name, title in (("z_now", "z now"), ("z_peak", "at peak"), ("z_opened", "at open")):
        panel.override_by_name(name, props({"displayName": title, "decimals": 2}))
    panel.override_by_name("since", props({"displayName": "open for"}))
    for name in _FOR_LINK:
        panel.override_by_name(name, props(HIDDEN))
    columns(panel, _ALERT_WIDTHS)
    return reads(placed(panel, 6, 0, 14, 14, 10), LAKE, lake(OPEN_ALERTS, ())).with_transformation(
        or_say()
    )


def _matrix() -> table.Panel:
    panel = coloured_matrix(
        "Correlation of returns, last ${lookback} bars",
        "Pearson, of log returns, every symbol with every other; of very many the 30 with the "
        "greatest volume.",
        "No bars yet: they come with the first trades.",
        ("a", "b", "correlation"),
    )
    return reads(placed(panel, 7, 14, 14, 10, 10), LAKE, lake(MATRIX, ()))


# Else a cell without a number has the colour of the first threshold, which is green.
_UNCOLOURED = {"mode": "fixed", "fixedColor": NEUTRAL}
_PAIR_WIDTHS = {
    "pair": 175, "z": 80, "state": 210, "correlation": 90, "return_correlation": 110, "beta": 100,
}  # fmt: skip
_ALERT_WIDTHS = {
    "pair": 165, "z_now": 75, "z_peak": 75, "z_opened": 75, "since": 80, "rule": 85,
}  # fmt: skip
_NUMBERS = (
    ("correlation", "corr.", 3),
    ("return_correlation", "return corr.", 3),
    ("beta", "β", None),
)
_SPARKLINE = {
    "displayName": "z, last 900 bars",
    "custom.cellOptions": {
        "type": "sparkline",
        "hideValue": True,
        "lineWidth": 1,
        "fillOpacity": 0,
    },
    "color": {"mode": "fixed", "fixedColor": NEUTRAL},
}
