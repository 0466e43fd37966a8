"""The pipeline: whether trades arrive, are kept, are analysed in time, and fit on the disk."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import bargauge, prometheus, stat, timeseries
from grafana_foundation_sdk.builders import common as build_common
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import (
    FieldColorModeId,
    GridPos,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)

from grafana.source.frame import PIPELINE_UID, framed
from grafana.source.panels import line, lines, number, placed, props, reads
from grafana.source.pipeline_charts import CHARTS, COLOURS, LAST_TRADE, OLDEST, Chart
from grafana.source.pipeline_cold import COLD_CHARTS
from grafana.source.pipeline_log import LOG_CHARTS
from grafana.source.style import ALARM, GOOD, NEUTRAL, PROMETHEUS, WARN, by_steps, steps
from grafana.source.targets import promql


def pipeline_dashboard() -> build.Dashboard:
    """What whoever runs spreadlake looks at; all from Prometheus."""
    board = framed(
        "Pipeline",
        PIPELINE_UID,
        "Trades, gaps and repairs, analytics in time, storage, the last success of everything",
        [],
    )
    for panel in (*_successes(), *_charts(CHARTS, 20, 4), _since(), _firing()):
        board.with_panel(panel)
    log = _row("Several machines: the log between captures and the store", LOG_CHARTS, 60, 49)
    cold = _row("Object storage: finished days in a bucket", COLD_CHARTS, 70, 66)
    return board.with_row(log).with_row(cold)


def _successes() -> list[stat.Panel]:
    """One row of what should be green."""
    services = _stat(
        "Services", "Signs of life that the services leave in the lake; exporter: its scrape."
    )
    services.mappings(_UP_DOWN).text_mode(common.BigValueTextMode.VALUE_AND_NAME)
    services.color_scheme(by_steps()).thresholds(steps(ALARM, (1, GOOD)))
    up = [
        promql("spreadlake_service_up", "{{service}}"),
        promql('up{job="spreadlake"}', "exporter", "B"),
    ]
    reads(placed(services, 1, 0, 0, 9, 4), PROMETHEUS, *[query.instant() for query in up])
    panels = [services]
    for at, (title, expression, unit, warn, alarm, text) in enumerate(_STATS):
        panel = _stat(title, text).unit(unit).decimals(0).color_scheme(by_steps())
        panel.thresholds(steps(NEUTRAL, (_LEAST, GOOD), (warn, WARN), (alarm, ALARM)))
        placed(panel, 2 + at, 9 + 3 * at, 0, 3, 4)
        queries = [promql(expression).instant()]
        if unit == _AGE:
            queries = _ages(panel, [(expression, "")])
        panels.append(reads(panel, PROMETHEUS, *queries))
    return panels


def _ages(
    panel: stat.Panel | bargauge.Panel, ages: Sequence[tuple[str, str]]
) -> list[prometheus.Dataquery]:
    """Queries of ages (expression, legend): below 100 in seconds, longer ones as years or hours.

    Grafana's one unit that knows years says ms as well, and would jump between ms and s.
    """
    queries = []
    for at, (expression, legend) in enumerate(ages):
        for ref_id, limit in ((f"S{at}", "< 100"), (f"L{at}", ">= 100")):
            queries.append(promql(f"({expression}) {limit}", legend, ref_id).instant())
        panel.override_by_query(f"L{at}", props({"unit": "s"}))
    panel.unit("suffix: s").decimals(1)
    return queries


def _stat(title: str, text: str) -> stat.Panel:
    size = build_common.VizTextDisplayOptions().value_size(30)
    return number(title, description=text).no_value("no data").text(size)


def _charts(charts: Sequence[Chart], first: int, top: int) -> list[timeseries.Panel]:
    """Three in a row, from the id `first` and the line `top` on."""
    panels = []
    for at, (title, unit, soft_max, text, queries) in enumerate(charts):
        panel = (
            lines(title, text)
            .unit(unit)
            .axis_soft_min(0)
            .axis_soft_max(soft_max)
            .no_value("No data in Prometheus for this time range.")
        )
        panel.color_scheme(build.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC))
        legends = {legend for _, legend in queries}
        any_name = any("{{" in legend for legend in legends)
        for name, color in COLOURS.items():
            if any_name or name in legends:
                panel.override_by_name(name, line(name, color, 1.5))
        targets = [
            promql(expression, legend, chr(ord("A") + n))
            for n, (expression, legend) in enumerate(queries)
        ]
        place = placed(panel, first + at, 8 * (at % 3), top + 8 * (at // 3), 8, 8)
        panels.append(reads(place, PROMETHEUS, *targets))
    return panels


def _row(title: str, charts: Sequence[Chart], number: int, top: int) -> build.Row:
    """A line for those who have none of it: closed, it asks nothing."""
    row = build.Row(title).id(number).grid_pos(GridPos(x=0, y=top, w=24, h=1))
    for panel in _charts(charts, number + 1, top + 1):
        row.with_panel(panel)
    return row


def _since() -> bargauge.Panel:
    panel = (
        bargauge.Panel()
        .title("Since the last success")
        .description("Signs of life, steps of the job, scrapes, and trades by symbol.")
        .orientation(common.VizOrientation.HORIZONTAL)
        .display_mode(common.BarGaugeDisplayMode.BASIC)
        .name_placement(common.BarGaugeNamePlacement.LEFT)
        .min(0)
        .max(20)
        .no_value("no data")
        .color_scheme(by_steps())
        .thresholds(steps(NEUTRAL, (_LEAST, GOOD), (10, WARN), (15, ALARM)))
        .reduce_options(build_common.ReduceDataOptions().calcs(["last"]).values(False))
    )
    placed(panel, 40, 0, 36, 24, 8)
    return reads(panel, PROMETHEUS, *_ages(panel, _SINCE))


def _firing() -> build.Panel:
    options = {
        "viewMode": "list", "groupMode": "default", "groupBy": [], "maxItems": 50, "sortOrder": 3,
        "dashboardAlerts": False, "alertName": "", "alertInstanceLabelFilter": "",
        "folder": None, "datasource": "-- Grafana --",
        "stateFilter": {
            "firing": True, "pending": True, "error": True, "noData": False, "normal": False,
            "recovering": True,
        },
    }  # fmt: skip
    panel = build.Panel().type("alertlist").title("Alerts that fire or are about to")
    return placed(panel.description("Grafana's own rules.").options(options), 41, 0, 44, 24, 5)


_UP_DOWN: list[ValueMapping] = [
    ValueMap(
        options={
            "0": ValueMappingResult(text="down", color=ALARM, index=0),
            "1": ValueMappingResult(text="up", color=GOOD, index=1),
        }
    )
]
_AGE = "age"
_LEAST = -1e9  # below it, and without a value, a number has no colour: nothing is good about it

# Title, expression, unit, value from which it warns, value from which it alarms, description.
_STATS = (
    (
        "Last trade", f"time() - max({LAST_TRADE})",
        _AGE, 10, 60, "Age of the newest trade of any symbol.",
    ),
    (
        "Job behind",
        f"clamp_min(max({LAST_TRADE}) - max(spreadlake_watermark_timestamp_seconds), 0)",
        _AGE, 3, 10, "How far the watermark is behind the newest stored trade.",
    ),
    (
        "Last step", 'max(spreadlake_service_heartbeat_age_seconds{service="analytics-job"})',
        _AGE, 5, 15, "Since the analytics job's last step.",
    ),
    ("Open gaps", "sum(spreadlake_tick_gaps_open)", "none", 1, 10, "Gaps that wait for repair."),
    (
        "Disk used", "max(1 - spreadlake_disk_free_bytes / spreadlake_disk_size_bytes)",
        "percentunit", 0.8, 0.9, "Of the disk that the lake is on.",
    ),
)  # fmt: skip

_SINCE = (
    ("spreadlake_service_heartbeat_age_seconds", "{{service}}"),
    ('time() - timestamp(up{job="spreadlake"} == 1)', "scrape"),
    (OLDEST, "trade of {{symbol}}"),
)
