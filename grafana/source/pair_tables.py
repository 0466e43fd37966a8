"""The tables of the pair dashboard: its alerts, and the aligned bars with a link to all of them."""

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models import dashboard as model

from grafana.source.alert_queries import ALERTS, MOST_EVENTS
from grafana.source.pair_queries import ALIGNED, SIGNIFICANT
from grafana.source.panels import coloured_text, columns, or_say, placed, props, reads, rows
from grafana.source.style import ALARM, IS_OLD, LAKE, OLD, QUIET
from grafana.source.targets import lake
from spreadlake.statistics import PAIR_STATISTICS

NOTHING = "Nothing to draw: “State” or “Drawn on” says why."


def pair_tables() -> list[table.Panel]:
    """The events of the pair's alerts, and the newest bars of the time range."""
    alerts = rows(
        "Alerts of ${symbol_a}/${symbol_b} · ${timeframe} · ${window} · ${lookback}",
        "Events that were open in the time range, of this timeframe, window and lookback, as the "
        "rules of the configuration saw them bar by bar; the newest first, "
        f"{MOST_EVENTS} at most. They are marked on the z-score too.",
        "No alert of this series in the time range.",
    )
    columns(alerts, _ALERT_WIDTHS)
    alerts.override_by_name("lasted", props({"unit": "dtdurations"}))
    for name, title in (
        ("z_opened", "z at open"),
        ("z_peak", "z at peak"),
        ("z_closed", "z at close"),
    ):
        alerts.override_by_name(name, props({"displayName": title, "decimals": 2}))
    alerts.override_by_name("state", coloured_text((IS_OLD, OLD), ("^open", ALARM), (".*", QUIET)))
    aligned = rows(
        "${symbol_a}_${symbol_b}_${timeframe}",
        "The newest bars of the time range. A row is known at its close_time: join on that. "
        "“All of this range as CSV” has every bar, in time order and with full precision.",
        NOTHING,
    )
    aligned.links([csv_link()])
    aligned.min_width(95)
    for name, digits in _DIGITS.items():
        aligned.override_by_name(name, props({"decimals": digits}))
    for name in SIGNIFICANT:
        aligned.override_by_name(name, props({"unit": "string", "custom.width": 130}))
    for name in ("time", "close_time"):
        aligned.override_by_name(name, props({"custom.width": 170}))
    for name in ("price_a", "price_b"):
        aligned.override_by_name(name, props({"unit": "string"}))
    alerts = reads(placed(alerts, 17, 0, 51, 24, 8), LAKE, lake(ALERTS, ("opened",)))
    aligned = reads(placed(aligned, 18, 0, 59, 24, 12), LAKE, lake(ALIGNED, ("time", "close_time")))
    return [alerts.with_transformation(or_say()), aligned.with_transformation(or_say("pair"))]


def csv_link() -> build.DashboardLink:
    """All rows of the range from the exporter: the columns of `spreadlake csv`."""
    return _link("All of this range as CSV", "pair.csv", f"{_SERIES}&{_RANGE}")


def _link(title: str, path: str, query: str) -> build.DashboardLink:
    link = build.DashboardLink(title).type(model.DashboardLinkType.LINK)
    return link.url(f"${{page:raw}}/{path}?{query}").target_blank(True)


_SERIES = (
    "a=${symbol_a:percentencode}&b=${symbol_b:percentencode}&timeframe=${timeframe:percentencode}"
    "&window=${window:percentencode}&lookback=${lookback:percentencode}"
    "&prices=${prices:percentencode}"
)
_RANGE = "from=${__from}&to=${__to}"


_ALERT_WIDTHS = {
    "opened": 170, "state": 220, "side": 75, "z_opened": 95, "z_peak": 95, "z_closed": 95,
    "threshold": 95, "lasted": 170, "rule": 130,
}  # fmt: skip
_DIGITS = {
    one.column: one.decimals
    for one in PAIR_STATISTICS
    if one.decimals is not None and one.column not in SIGNIFICANT
}
