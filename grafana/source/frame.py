"""What all dashboards have in common: UTC, refresh, shared crosshair, links that keep variables."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

from grafana.source.style import LAKE
from grafana.source.targets import lake
from grafana.source.variables import Variable

PAIR_UID = "spreadlake-pair"
OVERVIEW_UID = "spreadlake-overview"
SCREEN_UID = "spreadlake-screen"
BACKTEST_UID = "spreadlake-backtest"
PIPELINE_UID = "spreadlake-pipeline"
RUNBOOK_UID = "spreadlake-runbook"

# What a row says of its series, for the pair's dashboard.
SERIES_OF_ROW = (
    "var-timeframe=${__data.fields.timeframe}&var-window=${__data.fields.window_bars}"
    "&var-lookback=${__data.fields.lookback_bars}"
)
_SYMBOLS_OF_ROW = "var-symbol_a=${__data.fields.symbol_a}&var-symbol_b=${__data.fields.symbol_b}"

# What a dashboard opens with.
RANGE, RANGE_SECONDS = "now-15m", 900

_TITLES = {
    PAIR_UID: "Pair",
    OVERVIEW_UID: "Overview",
    SCREEN_UID: "Screen of pairs",
    BACKTEST_UID: "Back-test",
    PIPELINE_UID: "Pipeline",
    RUNBOOK_UID: "Runbook",
}
_RANGES = (
    ("Last 5 minutes", "now-5m"),
    ("Last 15 minutes", "now-15m"),
    ("Last hour", "now-1h"),
    ("Last 4 hours", "now-4h"),
    ("Last 24 hours", "now-24h"),
    ("Last 2 days", "now-2d"),
    ("Last 7 days", "now-7d"),
)


# What a link from one dashboard to another carries where its variables are not the other's.
_CARRIED = {
    (PAIR_UID, BACKTEST_UID): "var-pair=${symbol_a}/${symbol_b}&${datasource:queryparam}",
    (BACKTEST_UID, PAIR_UID): "${pair_link:raw}&${datasource:queryparam}",
    (SCREEN_UID, PAIR_UID): "${pair_link:raw}&${datasource:queryparam}",
}
# The same for the exporter's page.
_TO_PAGE = {
    PAIR_UID: "a=${symbol_a:percentencode}&b=${symbol_b:percentencode}"
    "&timeframe=${timeframe:percentencode}&window=${window:percentencode}"
    "&lookback=${lookback:percentencode}&threshold=${threshold:percentencode}"
    "&prices=${prices:percentencode}",
    BACKTEST_UID: "${page_link:raw}",
    SCREEN_UID: "${page_link:raw}",
}


def framed(
    title: str, uid: str, description: str, variables: Sequence[Variable]
) -> build.Dashboard:
    """An empty dashboard of spreadlake."""
    board = (
        build.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["spreadlake"])
        .timezone("utc")
        .refresh("5s")  # what still runs at the next one is cancelled, on a busy machine all of it
        .time(RANGE, "now")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .timepicker(_timepicker())
        .readonly()
        .version(1)
    )
    for variable in variables:
        board.with_variable(variable)
    for other in _TITLES:
        if other != uid:
            board.link(_link(uid, other))
    if uid in _TO_PAGE:
        board.link(_page_link(uid))
    if uid == PAIR_UID:
        board.link(rule_link())
    return board


def opens_pair(chosen: str) -> dict[str, object]:
    """A link of a row's cell to its pair's dashboard, with the variables `chosen`."""
    query = f"{_SYMBOLS_OF_ROW}&{chosen}&${{datasource:queryparam}}&${{__url_time_range}}"
    return {"title": "Open ${__value.text}", "url": f"/d/{PAIR_UID}?{query}"}


def marks(name: str, sql: str, color: str, panel: int) -> build.AnnotationQuery:
    """Marks on one panel: rows of time, timeEnd and text of the lake."""
    shown_on = build.AnnotationPanelFilter().exclude(False).ids([panel])
    query = build.AnnotationQuery().name(name).datasource(LAKE).enable(True).hide(True)
    return query.icon_color(color).filter(shown_on).target(lake(sql, ("time", "timeEnd")))


def _timepicker() -> build.TimePicker:
    picker = build.TimePicker().refresh_intervals(["1s", "2s", "5s", "10s", "30s", "1m"])
    return picker.quick_ranges(
        [build.TimeOption().display(name).from_val(since).to("now") for name, since in _RANGES]
    )


def _link(here: str, uid: str) -> build.DashboardLink:
    carried = _CARRIED.get((here, uid))
    return (
        build.DashboardLink(_TITLES[uid])
        .type(model.DashboardLinkType.LINK)
        .icon("dashboard")
        .url(f"/d/{uid}?{carried}" if carried else f"/d/{uid}")
        .include_vars(carried is None)
        .keep_time(True)
    )


def rule_link() -> build.DashboardLink:
    """To what the page says of the rules on what is shown; it opens no alert and changes none."""
    return (
        build.DashboardLink("Alert …")
        .type(model.DashboardLinkType.LINK)
        .icon("bolt")
        .tooltip(
            "The threshold on this dashboard only draws. Here are the rules that watch this pair "
            "now, and the line to paste that makes an alert of it."
        )
        .url(f"${{page:raw}}/?{_TO_PAGE[PAIR_UID]}#rule")
        .target_blank(True)
    )


def _page_link(here: str) -> build.DashboardLink:
    query = _TO_PAGE[here] + ("&from=${__from}&to=${__to}" if here == PAIR_UID else "")
    return (
        build.DashboardLink("Page")
        .type(model.DashboardLinkType.LINK)
        .icon("external link")
        .tooltip("The same on the exporter's page, which needs no Grafana.")
        .url(f"${{page:raw}}/?{query}")
        .target_blank(True)
    )
