"""The overview: every configured pair by how far it is stretched, and what moves together."""

from grafana_foundation_sdk.builders import common as build_common
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import stat, table
from grafana_foundation_sdk.models import common

from grafana.source import variables
from grafana.source.correlations import coloured_matrix
from grafana.source.frame import OVERVIEW_UID, SERIES_OF_ROW, framed, opens_pair
from grafana.source.overview_queries import MATRIX, OPEN_ALERTS, PAIRS, SUMMARY
from grafana.source.panels import (
    HIDDEN,
    coloured_text,
    columns,
    number,
    or_say,
    placed,
    props,
    reads,
    rows,
)
from grafana.source.sparklines import BARS
from grafana.source.style import (
    AGES,
    ALARM,
    AS_OF,
    GOOD,
    IS_OLD,
    LAKE,
    NEUTRAL,
    OLD,
    PANELS,
    QUIET,
    STATES,
    WARN,
    mapped,
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
    numbers = number("Pairs", "(?!state$).*", AS_OF)
    numbers.text_mode(common.BigValueTextMode.VALUE_AND_NAME)
    for name, (title, mappings, text) in _TILES.items():
        style = {"displayName": title, "mappings": mappings, "description": text}
        numbers.override_by_name(name, props(style))
    state = number("State", "state", "Whether the pairs have a z-score, and if not, why.")
    state.mappings(STATES).text(build_common.VizTextDisplayOptions().value_size(18))
    reads(placed(numbers, _SUMMARY, 7, 0, 17, 4), LAKE, lake(SUMMARY, ()))
    reads(placed(state, 2, 0, 0, 7, 4), PANELS, from_panel(_SUMMARY))
    return [state, numbers]


def _pairs() -> table.Panel:
    panel = rows(
        "Pairs by |z| · ${kept_prices} prices",
        "The newest bar of every configured pair in the time range, the most stretched first. "
        f"{AS_OF} A click on a pair opens it.",
        "No pair to show: “State” says why.",
    )
    panel.override_by_name("pair", props({"links": [opens_pair(_CHOSEN)]}))
    cell = {"type": "color-text"}
    z: dict[str, object] = {
        "mappings": mapped((IS_OLD, OLD), ("^[▲▼]", ALARM), (".*", NEUTRAL)),
        "color": _UNCOLOURED,
    }
    panel.override_by_name("z", props(z | {"custom.cellOptions": cell, "custom.align": "right"}))
    for name, title, style in _NUMBERS:
        panel.override_by_name(name, props({"displayName": title, **style}))
    panel.override_by_name(
        "state",
        props({"mappings": STATES, "custom.cellOptions": cell, "custom.wrapText": True}),
    )
    panel.override_by_name("trend", props(_SPARKLINE))
    for name in ("symbol_a", "symbol_b"):
        panel.override_by_name(name, props(HIDDEN))
    reads(placed(columns(panel, _PAIR_WIDTHS), 5, 0, 4, 24, 12), LAKE, lake(PAIRS, ()))
    return panel.with_transformation(or_say())


def _open_alerts() -> table.Panel:
    panel = rows("Open alerts", "Events of the configured rules that are open.", "No open alert.")
    panel.override_by_name("pair", props({"links": [opens_pair(_OF_ALERT)]}))
    for name, title in (("z_now", "newest z"), ("z_peak", "at peak"), ("z_opened", "at open")):
        panel.override_by_name(name, props({"displayName": title, "decimals": 2}))
    since = coloured_text((IS_OLD, OLD), (".*", QUIET))
    panel.override_by_name("since", [*props({"displayName": "open for"}), *since])
    for name in _FOR_LINK:
        panel.override_by_name(name, props(HIDDEN))
    columns(panel, _ALERT_WIDTHS)
    return reads(placed(panel, 6, 0, 16, 24, 5), LAKE, lake(OPEN_ALERTS, ())).with_transformation(
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
    return reads(placed(panel, 7, 0, 21, 24, 12), LAKE, lake(MATRIX, ()))


_TILES = {
    "stretched": (
        "Stretched: |z| ≥ ${threshold}",
        mapped((IS_OLD, OLD), ("^0 of", NEUTRAL), (".*", ALARM)),
        "Pairs whose |z| is at or beyond the threshold that was chosen above.",
    ),
    "alerts": (
        "Open alerts",
        mapped((IS_OLD, OLD), (r"^0\b", NEUTRAL), (".*", ALARM)),
        "Events of the configured rules that are open.",
    ),
    "ready": (
        "Pairs with a z-score",
        mapped((IS_OLD, OLD), (r"^(\d+) of \1$", GOOD), (".*", WARN)),
        "Of all that are configured.",
    ),
    "age_text": ("Age", AGES, "Now less the time of the latest trade analysed."),
}
# Else a cell without a number has the colour of the first threshold, which is green.
_UNCOLOURED = {"mode": "fixed", "fixedColor": NEUTRAL}
_PAIR_WIDTHS = {
    "pair": 185, "z": 100, "state": 330, "correlation": 90, "return_correlation": 110, "beta": 120,
}  # fmt: skip
_ALERT_WIDTHS = {
    "pair": 185, "z_now": 90, "z_peak": 90, "z_opened": 90, "since": 240, "rule": 130,
}  # fmt: skip
_NUMBERS: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("correlation", "corr.", {"decimals": 3}),
    ("return_correlation", "return corr.", {"decimals": 3}),
    ("beta", "β", {"unit": "string"}),
)
_SPARKLINE: dict[str, object] = {
    "displayName": f"z, last {BARS} bars",
    "custom.cellOptions": {"type": "image", "alt": "z-score with zero and threshold"},
}
