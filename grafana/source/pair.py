"""The pair dashboard: how far one pair is stretched, and how fresh that number is."""

from grafana_foundation_sdk.builders import common as build_common
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.models import common

from grafana.source import variables
from grafana.source.alert_queries import MARKS
from grafana.source.frame import PAIR_UID, framed, marks
from grafana.source.pair_charts import ZSCORE, pair_charts
from grafana.source.pair_newest import NEWEST, SHOWN
from grafana.source.pair_tables import pair_tables
from grafana.source.panels import (
    keep,
    number,
    placed,
    props,
    reads,
)
from grafana.source.style import (
    AGES,
    ALARM,
    IS_OLD,
    LAKE,
    NEUTRAL,
    OLD,
    PANELS,
    QUIET,
    STATES,
    fixed,
    mapped,
)
from grafana.source.targets import from_panel, lake

_WORDS = 16  # px: what Grafana fits itself becomes too small to read where it has many lines
_Z = 1  # the panel that others read from


def pair_dashboard() -> build.Dashboard:
    """The home dashboard."""
    board = framed(
        "Pair",
        PAIR_UID,
        "z-score, spread, hedge ratio and correlation of any two symbols, computed from the bars",
        [
            variables.symbol_a(),
            variables.symbol_b(),
            variables.timeframe(),
            variables.window(free=True),
            variables.lookback(free=True),
            variables.threshold(),
            variables.prices(),
            variables.datasource(),
            variables.rollups(),
            variables.page(),
        ],
    )
    for panel in (*_numbers(), *pair_charts(), *pair_tables()):
        board.with_panel(panel)
    return board.annotation(marks("Alerts", MARKS, ALARM, ZSCORE))


def _numbers() -> list[stat.Panel]:
    z = number("z · ${symbol_a}/${symbol_b}", "z", _Z_TEXT)
    z.color_mode(common.BigValueColorMode.BACKGROUND_SOLID)
    z.color_scheme(fixed("transparent")).mappings(
        mapped((IS_OLD, OLD), ("^[▲▼]", ALARM), (".*", "transparent"))
    )
    state = number("State", "state_text", _STATE_TEXT).mappings(STATES)
    state.text(build_common.VizTextDisplayOptions().value_size(_WORDS))
    state.override_by_name("state_text", props({"links": [_SHOWS_THE_NEWEST]}))
    reads(placed(z, _Z, 0, 0, 5, 4), LAKE, lake(NEWEST, ()))
    others = [(state, 3, 5, 6), (_statistics(), 4, 11, 13)]
    for panel, name, x, width in others:
        reads(placed(panel, name, x, 0, width, 4), PANELS, from_panel(_Z))
    return [z, *(panel for panel, *_ in others)]


def _statistics() -> stat.Panel:
    """And how old they are: on a narrow screen each panel takes a row, and these need only one."""
    panel = number("Hedge and mean reversion · ${prices} prices", ".*", _STATISTICS_TEXT)
    panel.mappings(mapped((IS_OLD, OLD), ("^(not|over)", QUIET), (".*", NEUTRAL)))
    panel.text_mode(common.BigValueTextMode.VALUE_AND_NAME)
    panel.text(build_common.VizTextDisplayOptions().value_size(_WORDS).title_size(12))
    panel.with_transformation(keep("age_text", *(f"{one.column}_text" for one, _ in SHOWN)))
    for one, shown in SHOWN:
        panel.override_by_name(f"{one.column}_text", props({"displayName": shown.title}))
    panel.override_by_name("age_text", props({"displayName": "Age", "mappings": AGES}))
    return panel


_CHOSEN = (
    "symbol_a", "symbol_b", "timeframe", "window", "lookback", "threshold", "prices", "datasource",
)  # fmt: skip
_SHOWS_THE_NEWEST = {
    "title": "Show the newest bars",
    "url": f"/d/{PAIR_UID}?{'&'.join(f'${{{name}:queryparam}}' for name in _CHOSEN)}"
    "&from=${__data.fields.newest_from}&to=${__data.fields.newest_to}",
}
_Z_TEXT = (
    "z = (spread − mean) / deviation over ${window} bars, every spread of the window with the "
    "latest β. Coloured where |z| is at or beyond the threshold of ${threshold}."
)
_STATE_TEXT = "Whether there is a z-score, and if not, why. A click goes to the newest bars."
_AGE_TEXT = (
    "Age: how old the market is that these numbers know: now less the time of the latest trade "
    "that was analysed. It is normal below 5 s."
)
_STATISTICS_TEXT = (
    f"{'; '.join(shown.text for _, shown in SHOWN if shown.text)}. The last two are kept for "
    "configured pairs, once a minute; the half-life “overshoots” where the spread jumps over its "
    "mean at every bar, or does not come back to it. A hollow sign: of before, and not of now. "
    f"{_AGE_TEXT}"
)
