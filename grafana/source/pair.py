"""The pair dashboard: how far one pair is stretched, and how fresh that number is."""

from grafana_foundation_sdk.builders import candlestick, stat, timeseries
from grafana_foundation_sdk.builders import common as build_common
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.candlestick import (
    CandleStyle,
    ColorStrategy,
    VizDisplayMode,
)

from grafana.source import variables
from grafana.source.alert_queries import MARKS
from grafana.source.frame import PAIR_UID, framed, marks
from grafana.source.pair_newest import NEWEST, SHOWN
from grafana.source.pair_queries import (
    CHARTS,
    PRICES,
    candles,
)
from grafana.source.pair_tables import NOTHING, pair_tables
from grafana.source.panels import (
    keep,
    line,
    lines,
    number,
    or_say,
    placed,
    props,
    reads,
)
from grafana.source.sql import SYMBOL_A, SYMBOL_B
from grafana.source.style import (
    AGES,
    ALARM,
    DOWN,
    IS_OLD,
    LAKE,
    LEG_A,
    LEG_B,
    NEUTRAL,
    OLD,
    PANELS,
    QUIET,
    STATES,
    UP,
    fixed,
    mapped,
)
from grafana.source.targets import from_panel, lake

_WORDS = 16  # px: what Grafana fits itself becomes too small to read where it has many lines
# Panels that others read from.
_Z, _ZSCORE = 1, 10
_STEP = (
    "Where one point stands for several bars it is the bar with the greatest |z| among them: "
    "no excursion is lost, and every point is a real bar. Over more than 10,000 bars of a pair "
    "that the analytics job does not keep, it is just every so many bars one."
)


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
            variables.page(),
        ],
    )
    for panel in (*_numbers(), *_charts(), *pair_tables()):
        board.with_panel(panel)
    return board.annotation(marks("Alerts", MARKS, ALARM, _ZSCORE))


def _numbers() -> list[stat.Panel]:
    z = number("z · ${symbol_a}/${symbol_b}", "z", _Z_TEXT)
    z.color_mode(common.BigValueColorMode.BACKGROUND_SOLID)
    z.color_scheme(fixed("transparent")).mappings(
        mapped((IS_OLD, OLD), ("^[▲▼]", ALARM), (".*", "transparent"))
    )
    state = number("State", "state_text", _STATE_TEXT).mappings(STATES)
    state.text(build_common.VizTextDisplayOptions().value_size(_WORDS))
    state.override_by_name("state_text", props({"links": [_SHOWS_THE_NEWEST]}))
    age = number("Age", "age_text", _AGE_TEXT).mappings(AGES)
    age.text(build_common.VizTextDisplayOptions().value_size(20))
    reads(placed(z, _Z, 0, 0, 4, 4), LAKE, lake(NEWEST, ()))
    others = [(age, 2, 4, 3), (state, 3, 7, 6), (_statistics(), 4, 13, 11)]
    for panel, name, x, width in others:
        reads(placed(panel, name, x, 0, width, 4), PANELS, from_panel(_Z))
    return [z, *(panel for panel, *_ in others)]


def _statistics() -> stat.Panel:
    panel = number("Hedge and mean reversion · ${prices} prices", ".*", _STATISTICS_TEXT)
    panel.mappings(mapped((IS_OLD, OLD), ("^(not|over)", QUIET), (".*", NEUTRAL)))
    panel.text_mode(common.BigValueTextMode.VALUE_AND_NAME)
    panel.text(build_common.VizTextDisplayOptions().value_size(_WORDS).title_size(12))
    panel.with_transformation(keep(*(f"{one.column}_text" for one, _ in SHOWN)))
    for one, shown in SHOWN:
        panel.override_by_name(f"{one.column}_text", props({"displayName": shown.title}))
    return panel


def _charts() -> list[timeseries.Panel | candlestick.Panel]:
    return [
        _zscore(),
        _prices(),
        _spread(),
        _beta(),
        _correlation(),
        _candles("${symbol_a}", SYMBOL_A, 15, 0),
        _candles("${symbol_b}", SYMBOL_B, 16, 12),
    ]


def _zscore() -> timeseries.Panel:
    panel = lines("z-score · ${window} bars · ${prices} prices", f"{_Z_TEXT} {_STEP}")
    panel.axis_soft_min(-3).axis_soft_max(3).no_value(NOTHING)
    panel.max_data_points(1500).interval("1s")
    panel.legend(build_common.VizLegendOptions().show_legend(False))
    panel.override_by_name("zscore", line("z", NEUTRAL, 1.5))
    panel.override_by_name("stretched", line("beyond", ALARM, 3, quiet=True))
    fill: dict[str, object] = {"custom.fillOpacity": 45}
    high = line("high", ALARM, 1, dashed=True, quiet=True)
    low = line("low", ALARM, 1, fill | {"custom.fillBelowTo": "below"}, dashed=True, quiet=True)
    above = line("above", ALARM, 0, fill | {"custom.fillBelowTo": "high"}, quiet=True)
    for name, style in (("high", high), ("low", low), ("above", above)):
        panel.override_by_name(name, style)
    panel.override_by_name("below", line("below", ALARM, 0, quiet=True))
    panel.with_transformation(keep("zscore", "high", "low", "above", "below", "stretched"))
    return reads(placed(panel, _ZSCORE, 0, 4, 24, 9), LAKE, lake(CHARTS)).with_transformation(
        or_say()
    )


def _prices() -> timeseries.Panel:
    panel = lines("Prices", "Closes, each leg on its own axis.").no_value(NOTHING).unit("none")
    panel.override_by_name(
        "price_a", line("${symbol_a}", LEG_A, 1.5, {"custom.axisColorMode": "series"})
    )
    right = {"custom.axisPlacement": "right", "custom.axisColorMode": "series"}
    panel.override_by_name("price_b", line("${symbol_b}", LEG_B, 1.5, right))
    panel.max_data_points(1000).interval("1s").with_transformation(or_say())
    return reads(placed(panel, 11, 0, 13, 12, 9), LAKE, lake(PRICES))


def _spread() -> timeseries.Panel:
    title = "Spread of ${prices} prices less its mean, with ±1σ and ±2σ"
    panel = lines(title, f"{_SPREAD_TEXT} {_STEP}").no_value(NOTHING)
    panel.override_by_name("spread", line("spread", NEUTRAL, 1.5))
    panel.override_by_name("mean", line("mean, ±1σ, ±2σ", LEG_A, 1, dashed=True))
    for bars, opacity in ((1, 16), (2, 8)):
        fill: dict[str, object] = {"custom.fillBelowTo": f"−{bars}σ", "custom.fillOpacity": opacity}
        panel.override_by_name(f"up_{bars}", line(f"+{bars}σ", LEG_A, 0, fill | _UNLISTED))
        panel.override_by_name(f"down_{bars}", line(f"−{bars}σ", LEG_A, 0, _UNLISTED))
    panel.with_transformation(keep("spread", "mean", "up_1", "down_1", "up_2", "down_2"))
    return reads(placed(panel, 12, 12, 13, 12, 9), PANELS, from_panel(_ZSCORE)).with_transformation(
        or_say()
    )


def _beta() -> timeseries.Panel:
    panel = lines("Hedge ratio β of ${prices} prices · ${lookback} bars", _BETA_TEXT).no_value(
        NOTHING
    )
    panel.override_by_name("beta", line("β ± 2 standard errors", NEUTRAL, 1.5))
    fill: dict[str, object] = {"custom.fillBelowTo": "−2 s.e.", "custom.fillOpacity": 12}
    panel.override_by_name("beta_up", line("+2 s.e.", LEG_A, 0, fill | _UNLISTED))
    panel.override_by_name("beta_down", line("−2 s.e.", LEG_A, 0, _UNLISTED))
    panel.override_by_name("hedge_bars", line("bars it is over", NEUTRAL, 0, _ONLY_IN_TOOLTIP))
    panel.with_transformation(keep("beta", "beta_up", "beta_down", "hedge_bars"))
    return reads(placed(panel, 13, 0, 22, 12, 8), PANELS, from_panel(_ZSCORE)).with_transformation(
        or_say()
    )


def _correlation() -> timeseries.Panel:
    text = "Pearson, of what the hedge ratio is of, and of log returns."
    panel = lines("Correlation · ${window} bars", text)
    panel.max(1).no_value(NOTHING)
    panel.override_by_name("correlation", line("${prices} closes", NEUTRAL, 1.5))
    panel.override_by_name("return_correlation", line("returns", LEG_A, 1))
    panel.with_transformation(keep("correlation", "return_correlation"))
    return reads(placed(panel, 14, 12, 22, 12, 8), PANELS, from_panel(_ZSCORE)).with_transformation(
        or_say()
    )


def _candles(title: str, symbol: str, name: int, x: int) -> candlestick.Panel:
    panel = (
        candlestick.Panel()
        .title(f"{title} · candles and volume")
        .description("Bars of the timeframe, put together to the width; volume in base units.")
        .unit("none")
        .no_value(NOTHING)
        .max_data_points(120)
        .interval("1s")
        .mode(VizDisplayMode.CANDLES_VOLUME)
        .candle_style(CandleStyle.CANDLES)
        .color_strategy(ColorStrategy.OPEN_CLOSE)
        .colors(candlestick.CandlestickColors().up(UP).down(DOWN).flat(QUIET))
        .legend(build_common.VizLegendOptions().show_legend(False))
        .tooltip(build_common.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
    )
    panel.override_by_name("volume", props({"unit": "short", "custom.axisPlacement": "hidden"}))
    return reads(
        placed(panel, name, x, 30, 12, 9), LAKE, lake(candles(symbol))
    ).with_transformation(or_say())


_CHOSEN = (
    "symbol_a", "symbol_b", "timeframe", "window", "lookback", "threshold", "prices", "datasource",
)  # fmt: skip
_SHOWS_THE_NEWEST = {
    "title": "Show the newest bars",
    "url": f"/d/{PAIR_UID}?{'&'.join(f'${{{name}:queryparam}}' for name in _CHOSEN)}"
    "&from=${__data.fields.newest_from}&to=${__data.fields.newest_to}",
}
_UNLISTED: dict[str, object] = {"custom.hideFrom": {"legend": True, "tooltip": False, "viz": False}}
_Z_TEXT = (
    "z = (spread − mean) / deviation over ${window} bars, every spread of the window with the "
    "latest β. Coloured where |z| is at or beyond the threshold of ${threshold}. "
    "Drawn at each bar's open, known at its end."
)
_STATE_TEXT = "Whether there is a z-score, and if not, why. A click goes to the newest bars."
_AGE_TEXT = (
    "How old the market is that these numbers know: now less the time of the latest trade "
    "that was analysed. It is normal below 5 s."
)
_SPREAD_TEXT = (
    "Spread = A − β·B with the β of each bar; mean and σ over ${window} bars. Of raw prices it is "
    "in the quote currency; of log ones 0.01 is about 1 % of A, whatever the pair."
)
_BETA_TEXT = (
    "Hedge ratio: OLS of A on B over the last ${lookback} bars, with twice its standard error on "
    "either side. Units of B against one of A; of log prices, value against value. The tooltip "
    "says over how many bars it is so far."
)
_ONLY_IN_TOOLTIP: dict[str, object] = {
    "custom.hideFrom": {"legend": True, "tooltip": False, "viz": True},
    "custom.axisPlacement": "hidden",
    "unit": "none",
    "decimals": 0,
}
_STATISTICS_TEXT = (
    f"{'; '.join(shown.text for _, shown in SHOWN if shown.text)}. The last two are kept for "
    "configured pairs, once a minute; the half-life “overshoots” where the spread jumps over its "
    "mean at every bar, or does not come back to it. A hollow sign: of before, and not of now."
)
