"""The screen of every pair: its ranking, what was found over time, and what moves together."""

from grafana_foundation_sdk.builders import common as build_common
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import stat, table, timeseries, xychart
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig
from grafana_foundation_sdk.models.xychart import SeriesMapping

from grafana.source import variables
from grafana.source.correlations import coloured_matrix
from grafana.source.frame import BACKTEST_UID, SCREEN_UID, SERIES_OF_ROW, framed, opens_pair
from grafana.source.panels import (
    HIDDEN,
    columns,
    envelope,
    line,
    lines,
    number,
    or_say,
    placed,
    props,
    reads,
    rows,
)
from grafana.source.screen_queries import (
    CORRELATIONS,
    FOUND,
    MAP,
    PAGE_LINK,
    PAIR_LINK,
    PERSISTENCE,
    RANKING,
    SUMMARY,
)
from grafana.source.style import (
    AS_OF,
    GOOD,
    IS_OLD,
    LAKE,
    LEG_A,
    NEUTRAL,
    OLD,
    PANELS,
    SMALL_PROBABILITY,
    STATES,
    mapped,
)
from grafana.source.targets import from_panel, lake

_SUMMARY = 1
_NONE = "Nothing to show: “State” says why."


def screen_dashboard() -> build.Dashboard:
    """Which pairs go together now, of all there are."""
    board = framed(
        "Screen",
        SCREEN_UID,
        "Every pair of the captured symbols, tested for cointegration again and again",
        [
            variables.screen(),
            variables.most_qvalue(),
            variables.least_volume(),
            variables.datasource(),
            variables.page(),
            variables.link_of("pair", PAIR_LINK, LAKE),
            variables.link_of("page", PAGE_LINK, LAKE),
        ],
    )
    for panel in (*_numbers(), _ranking(), _map(), _found(), _persistence(), _correlations()):
        board.with_panel(panel)
    # Screens are not so often; and what is drawn is not begun anew before it is there.
    return board.refresh("10s")


def _numbers() -> list[stat.Panel]:
    numbers = number("The newest screen", "(?!state$).*", f"Of the time range. {AS_OF}")
    numbers.text_mode(common.BigValueTextMode.VALUE_AND_NAME)
    numbers.mappings(mapped((IS_OLD, OLD), (".*", NEUTRAL)))
    for name, title in _TILES.items():
        numbers.override_by_name(name, props({"displayName": title}))
    state = number("State", "state", "Whether there is a screen, and if not, why.")
    state.mappings(STATES).text(build_common.VizTextDisplayOptions().value_size(18))
    reads(placed(numbers, _SUMMARY, 7, 0, 17, 4), LAKE, lake(SUMMARY, ()))
    reads(placed(state, 2, 0, 0, 7, 4), PANELS, from_panel(_SUMMARY))
    return [state, numbers]


def _ranking() -> table.Panel:
    panel = rows(
        "Pairs by p-value, the first 500",
        "The first pairs of the newest screen: A is regressed on B, in the better direction, on "
        "log prices. q bounds the share of false ones among those up to it; the edge is what a way "
        "back to the mean leaves after costs; a half-life of – is of a spread that overshoots its "
        "mean or does not come back. A click on a pair opens it.",
        _NONE,
    )
    panel.override_by_name(
        "pair", props({"links": [opens_pair(f"{SERIES_OF_ROW}&var-prices=log")]})
    )
    for name, title, digits, unit in _COLUMNS:
        style: dict[str, object] = {"displayName": title, "custom.filterable": True}
        style |= {"decimals": digits} if digits is not None else {}
        panel.override_by_name(name, props(style | ({"unit": unit} if unit else {})))
    panel.override_by_name("qvalue", props({"mappings": SMALL_PROBABILITY}))
    panel.override_by_name("page", props({"links": [_OPENS_PAGE]}))
    panel.override_by_name("backtests", props({"links": [_LISTS_BACKTESTS]}))
    for name in ("symbol_a", "symbol_b", "timeframe", "window_bars", "lookback_bars"):
        panel.override_by_name(name, props(HIDDEN))
    columns(panel, _WIDTHS)
    return reads(placed(panel, 5, 0, 4, 24, 11), LAKE, lake(RANKING, ())).with_transformation(
        or_say()
    )


def _map() -> xychart.Panel:
    panel = (
        xychart.Panel()
        .title("Edge by q-value")
        .description(
            "Up and to the left is what is surely cointegrated and pays after costs. "
            "A q below 0.0001 lies at the left end."
        )
        .no_value(_NONE)
        .series([_series("qvalue", "edge_bps")])
        .mapping(SeriesMapping.MANUAL)
        .point_size(xychart.XychartFieldConfigPointSize().fixed(6))
        .fill_opacity(60)
        .legend(build_common.VizLegendOptions().show_legend(False))
        .tooltip(build_common.VizTooltipOptions().mode(common.TooltipDisplayMode.SINGLE))
    )
    log = {"type": "log", "log": 10}
    panel.override_by_name(
        "qvalue",
        props({"displayName": "q", "custom.scaleDistribution": log, "custom.axisLabel": "q"}),
    )
    panel.override_by_name(
        "edge_bps",
        props(
            {
                "displayName": "edge, bps",
                "custom.axisLabel": "edge, bps",
                "color": {"mode": "fixed", "fixedColor": LEG_A},
            }
        ),
    )
    panel.override_by_name("_", props(HIDDEN))
    return reads(placed(panel, 6, 0, 15, 12, 9), LAKE, lake(MAP, ()))


def _series(x: str, y: str) -> xychart.XYSeriesConfig:
    """The points of two columns of the table."""
    first = xychart.MatcherConfig().id("byIndex").options(0)
    return (
        xychart.XYSeriesConfig()
        .frame(xychart.XychartXYSeriesConfigFrame().matcher(first))
        .x(
            xychart.XychartXYSeriesConfigX().matcher(
                xychart.MatcherConfig().id("byName").options(x)
            )
        )
        .y(
            xychart.XychartXYSeriesConfigY().matcher(
                xychart.MatcherConfig().id("byName").options(y)
            )
        )
    )


def _found() -> timeseries.Panel:
    panel = lines(
        "Cointegrated pairs",
        "How many of all pairs each screen found; where a point stands for several screens, the "
        "last, and in the shade the least to the most.",
    )
    panel.no_value(_NONE).min(0).decimals(0).max_data_points(500).interval("1s")
    envelope(panel, "low", "high", GOOD)
    panel.show_points(common.VisibilityMode.AUTO)
    panel.override_by_name("cointegrated", line("cointegrated", GOOD))
    return reads(placed(panel, 7, 12, 15, 12, 9), LAKE, lake(FOUND)).with_transformation(or_say())


def _persistence() -> timeseries.Panel:
    panel = lines(
        "Persistence of those on top",
        "The share of the screens of the hour before in which the pair had a p-value below 0.05; "
        "gaps where it was not among the first 200. Of a long time range every so many screens.",
    )
    panel.no_value(_NONE).min(0).max(1).unit("percentunit")
    panel.show_points(common.VisibilityMode.AUTO)
    split = {"fields": ["pair"], "keepFields": False, "naming": {"asLabels": True}}
    panel.with_transformation(DataTransformerConfig(id_val="partitionByValues", options=split))
    panel.override_by_field_type("number", props({"displayName": "${__field.labels.pair}"}))
    return reads(placed(panel, 8, 0, 24, 24, 9), LAKE, lake(PERSISTENCE))


def _correlations() -> table.Panel:
    panel = coloured_matrix(
        "Correlation of returns, by what moves together",
        "Pearson, of log returns over the window, of the symbols that traded most; neighbours are "
        "those that are most alike.",
        _NONE,
        ("symbol_a", "symbol_b", "return_correlation"),
    )
    return reads(placed(panel, 9, 0, 33, 24, 13), LAKE, lake(CORRELATIONS, ()))


_TILES = {
    "tested": "Pairs tested",
    "cointegrated": "Cointegrated",
    "age_text": "Age, since its bar ended",
    "took": "Took",
}
_COLUMNS: tuple[tuple[str, str, int | None, str], ...] = (
    ("rank", "#", 0, ""),
    ("qvalue", "q", None, "string"),
    ("zscore", "z", 2, ""),
    ("edge_bps", "edge, bps", 1, ""),
    ("cost_bps", "cost, bps", 1, ""),
    ("half_life", "half-life, bars", 1, ""),
    ("crossings", "crossings", 0, ""),
    ("persistence", "persistence", 0, "percentunit"),
    ("return_correlation", "return corr.", 3, ""),
    ("beta", "β, log", None, "string"),
    ("volume", "volume of the lesser leg", 1, "short"),
)
_WIDTHS = {
    "rank": 60, "pair": 200, "qvalue": 85, "zscore": 75, "edge_bps": 105, "cost_bps": 105,
    "half_life": 140, "crossings": 110, "persistence": 125, "return_correlation": 120, "beta": 100,
    "page": 65, "backtests": 95,
}  # fmt: skip
_OPENS_PAGE = {
    "title": "On the exporter's page",
    "url": "${page:raw}/?a=${__data.fields.symbol_a}&b=${__data.fields.symbol_b}"
    "&timeframe=${__data.fields.timeframe}&window=${__data.fields.window_bars}"
    "&lookback=${__data.fields.lookback_bars}&prices=log",
    "targetBlank": True,
}
_LISTS_BACKTESTS = {
    "title": "Back-tests of this pair that are kept",
    "url": f"/d/{BACKTEST_UID}?var-pair=${{__data.fields.pair}}&${{datasource:queryparam}}",
}
