"""The charts of the pair dashboard: the z-score, what it is made of, and the prices below it."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import candlestick, stat, timeseries
from grafana_foundation_sdk.builders import common as build_common
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.candlestick import (
    CandleStyle,
    ColorStrategy,
    VizDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from grafana.source.frame import rule_link
from grafana.source.pair_chart_queries import HEDGES, ZSCORES
from grafana.source.pair_plan import MOST_COMPUTED
from grafana.source.pair_price_queries import PRICES, candles
from grafana.source.pair_tables import NOTHING
from grafana.source.panels import decimals, keep, line, lines, number, or_say, placed, props, reads
from grafana.source.sql import SYMBOL_A, SYMBOL_B
from grafana.source.style import (
    ALARM,
    DOWN,
    LAKE,
    LEG_A,
    LEG_B,
    NEUTRAL,
    PANELS,
    QUIET,
    UP,
)
from grafana.source.targets import from_panel, lake

Charts = Sequence[stat.Panel | timeseries.Panel | candlestick.Panel]

# The panels that others read from.
ZSCORE = 10
_PRICES, _BETA = 11, 13
_STEP = (
    "Drawn at each bar's open, known at its end. Where a point stands for several bars the line is "
    "the last of them, and the shade reaches from the lowest to the highest: no excursion is lost."
)


def pair_charts() -> Charts:
    """What is drawn, under a line that says on which bars and at which step."""
    return [
        _drawn(),
        _zscore(),
        _prices(),
        _from_100(),
        _spread(),
        _raw_spread(),
        _beta(),
        _correlation(),
        _candles("${symbol_a}", SYMBOL_A, 15, 0),
        _candles("${symbol_b}", SYMBOL_B, 16, 12),
    ]


def _drawn() -> stat.Panel:
    """From the same query, so that it says what the charts show."""
    panel = number("Drawn on", "(drawn|share)", _DRAWN_TEXT)
    panel.reduce_options(
        build_common.ReduceDataOptions().calcs(["lastNotNull"]).fields("/^(drawn|share)$/")
    )
    panel.text(build_common.VizTextDisplayOptions().value_size(14))
    panel.justify_mode(common.BigValueJustifyMode.AUTO).no_value(_NOT_DRAWN)
    panel.override_by_name("share", props({"noValue": " "}))
    panel.orientation(common.VizOrientation.VERTICAL)
    return reads(placed(panel, 19, 0, 4, 24, 3), PANELS, from_panel(ZSCORE))


def _shade(name: str, color: str, opacity: int = 25) -> dict[str, list[DynamicConfigValue]]:
    """Between the lowest and the highest of what a point stands for."""
    fill: dict[str, object] = {
        "custom.fillBelowTo": f"lowest {name}", "custom.fillOpacity": opacity,
    }  # fmt: skip
    return {
        "max": line(f"highest {name}", color, 0, fill | _UNLISTED),
        "min": line(f"lowest {name}", color, 0, _UNLISTED),
    }


def _shaded(panel: timeseries.Panel, column: str, name: str, color: str) -> list[str]:
    """Styles the columns of the shade; returns their names."""
    shade = _shade(name, color)
    for end, style in shade.items():
        panel.override_by_name(f"{column}_{end}", style)
    return [f"{column}_{end}" for end in shade]


def _zscore() -> timeseries.Panel:
    panel = lines("z-score · ${window} bars · ${prices} prices", f"{_Z_TEXT} {_STEP}")
    panel.links([rule_link()])
    panel.axis_soft_min(-3).axis_soft_max(3).no_value(NOTHING)
    panel.max_data_points(1000).interval("1s")
    panel.legend(build_common.VizLegendOptions().show_legend(False))
    panel.override_by_name("zscore", line("z", NEUTRAL, 1.5))
    # What is beyond is the area from the threshold to z, which is there everywhere: a line of what
    # is beyond would have cells without a number everywhere else.
    fill: dict[str, object] = {"custom.fillOpacity": 50}
    high = line("high", ALARM, 1, dashed=True, quiet=True)
    low = line("low", ALARM, 1, fill | {"custom.fillBelowTo": "below"}, dashed=True, quiet=True)
    above = line("above", ALARM, 0, fill | {"custom.fillBelowTo": "high"}, quiet=True)
    for name, style in (("high", high), ("low", low), ("above", above)):
        panel.override_by_name(name, style)
    panel.override_by_name("below", line("below", ALARM, 0, quiet=True))
    shade = _shaded(panel, "zscore", "z", NEUTRAL)
    panel.with_transformation(keep("zscore", *shade, "high", "low", "above", "below"))
    return reads(placed(panel, ZSCORE, 0, 7, 24, 9), LAKE, lake(ZSCORES)).with_transformation(
        or_say()
    )


def _prices() -> timeseries.Panel:
    panel = lines("Prices", f"Closes, each leg on its own axis. {_PRICES_TEXT}")
    panel.no_value(NOTHING).unit("locale").max_data_points(1000).interval("1s")
    columns = [f"{name}_{leg}" for leg in "ab" for name in ("price", "high", "low")]
    for leg in "ab":
        panel.with_transformation(decimals(f"decimals_{leg}", f"/_{leg}$/"))
    panel.with_transformation(keep(*columns))
    axis: dict[str, object] = {"custom.axisColorMode": "series"}
    right = axis | {"custom.axisPlacement": "right"}
    for leg, color, style in (("a", LEG_A, axis), ("b", LEG_B, right)):
        name = f"${{symbol_{leg}}}"
        panel.override_by_name(f"price_{leg}", line(name, color, 1.5, style))
        for end, shade in zip(("high", "low"), _shade(name, color).values(), strict=True):
            panel.override_by_name(f"{end}_{leg}", [*shade, *props(style)])
    reads(placed(panel, _PRICES, 0, 16, 12, 9), LAKE, lake(PRICES))
    return panel.with_transformation(or_say())


def _from_100() -> timeseries.Panel:
    panel = lines("Prices from 100", _FROM_100_TEXT).no_value(NOTHING)
    for leg, color in (("a", LEG_A), ("b", LEG_B)):
        panel.override_by_name(f"from_100_{leg}", line(f"${{symbol_{leg}}}", color))
    panel.with_transformation(keep("from_100_a", "from_100_b"))
    reads(placed(panel, 20, 12, 16, 12, 9), PANELS, from_panel(_PRICES))
    return panel.with_transformation(or_say())


def _spread() -> timeseries.Panel:
    title = "Spread of ${prices} prices less its mean, with ±1σ and ±2σ"
    panel = lines(title, f"{_SPREAD_TEXT} {_STEP}").no_value(NOTHING)
    panel.override_by_name("spread", line("spread", NEUTRAL, 1.5))
    panel.override_by_name("mean", line("mean, ±1σ, ±2σ", LEG_A, 1, dashed=True))
    for bars, opacity in ((1, 16), (2, 8)):
        fill: dict[str, object] = {"custom.fillBelowTo": f"−{bars}σ", "custom.fillOpacity": opacity}
        panel.override_by_name(f"up_{bars}", line(f"+{bars}σ", LEG_A, 0, fill | _UNLISTED))
        panel.override_by_name(f"down_{bars}", line(f"−{bars}σ", LEG_A, 0, _UNLISTED))
    shade = _shaded(panel, "deviation", "spread", NEUTRAL)
    panel.with_transformation(keep("spread", *shade, "mean", "up_1", "down_1", "up_2", "down_2"))
    reads(placed(panel, 12, 0, 25, 12, 9), PANELS, from_panel(ZSCORE))
    return panel.with_transformation(or_say())


def _raw_spread() -> timeseries.Panel:
    panel = lines("Spread of ${prices} prices as it is", f"{_RAW_TEXT} {_STEP}").no_value(NOTHING)
    panel.override_by_name("raw_spread", line("A − β·B", NEUTRAL, 1.5))
    panel.override_by_name("raw_mean", line("its mean", LEG_A, 1, dashed=True))
    shade = _shaded(panel, "spread", "A − β·B", NEUTRAL)
    panel.with_transformation(keep("raw_spread", "raw_mean", *shade))
    reads(placed(panel, 21, 12, 25, 12, 9), PANELS, from_panel(ZSCORE))
    return panel.with_transformation(or_say())


def _beta() -> timeseries.Panel:
    panel = lines("Hedge ratio β of ${prices} prices · ${lookback} bars", f"{_BETA_TEXT} {_STEP}")
    panel.no_value(NOTHING)
    panel.override_by_name("beta", line("β ± 2 standard errors", NEUTRAL, 1.5))
    fill: dict[str, object] = {"custom.fillBelowTo": "−2 s.e.", "custom.fillOpacity": 12}
    panel.override_by_name("beta_up", line("+2 s.e.", LEG_A, 0, fill | _UNLISTED))
    panel.override_by_name("beta_down", line("−2 s.e.", LEG_A, 0, _UNLISTED))
    panel.override_by_name("hedge_bars", line("bars it is over", NEUTRAL, 0, _ONLY_IN_TOOLTIP))
    panel.override_by_name("kalman_beta", line("Kalman", DOWN, 1))
    panel.override_by_name("robust_beta", line("robust", UP, 1))
    shade = _shaded(panel, "beta", "β", NEUTRAL)
    ends = ("beta_up", "beta_down", "hedge_bars")
    panel.max_data_points(1000).interval("1s")
    panel.with_transformation(keep("beta", *shade, "kalman_beta", "robust_beta", *ends))
    reads(placed(panel, _BETA, 0, 34, 12, 8), LAKE, lake(HEDGES))
    return panel.with_transformation(or_say())


def _correlation() -> timeseries.Panel:
    text = f"Pearson, of what the hedge ratio is of, and of log returns. {_STEP}"
    panel = lines("Correlation · ${window} bars", text)
    panel.max(1).no_value(NOTHING)
    panel.override_by_name("correlation", line("${prices} closes", NEUTRAL, 1.5))
    panel.override_by_name("return_correlation", line("returns", LEG_A, 1))
    shades = _shaded(panel, "correlation", "of closes", NEUTRAL)
    shades += _shaded(panel, "return_correlation", "of returns", LEG_A)
    panel.with_transformation(keep("correlation", "return_correlation", *shades))
    reads(placed(panel, 14, 12, 34, 12, 8), PANELS, from_panel(_BETA))
    return panel.with_transformation(or_say())


def _candles(title: str, symbol: str, name: int, x: int) -> candlestick.Panel:
    panel = (
        candlestick.Panel()
        .title(f"{title} · candles and volume")
        .description("Bars of the timeframe, put together to the width; volume in base units.")
        .unit("locale")
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
    panel.with_transformation(decimals("decimals", "/^(open|high|low|close)$/"))
    panel.with_transformation(keep("open", "high", "low", "close", "volume"))
    reads(placed(panel, name, x, 42, 12, 9), LAKE, lake(candles(symbol)))
    return panel.with_transformation(or_say())


_UNLISTED: dict[str, object] = {"custom.hideFrom": {"legend": True, "tooltip": False, "viz": False}}
_Z_TEXT = (
    "z = (spread − mean) / deviation over ${window} bars, every spread of the window with the "
    "latest β. Coloured where |z| is at or beyond the threshold of ${threshold}."
)
_DRAWN_TEXT = (
    "On which bars the z-score, the spread, β and the correlation are drawn, and how often |z| is "
    "at or beyond the threshold. A pair that the analytics job keeps is drawn on its own bars, for "
    "long ranges from what it keeps of every 60; any other is computed, on longer bars where the "
    "range has too many."
)
_NOT_DRAWN = (
    "Nothing is drawn: “State” says why, or the window or lookback is longer than the "
    f"{MOST_COMPUTED:,} bars that are computed at once of what the lake does not keep."
)
_PRICES_TEXT = (
    "Where a point stands for several bars it is the last close, and the shade reaches from the "
    "lowest to the highest trade."
)
_FROM_100_TEXT = (
    "Both legs beside what they were at the beginning of the range, which is 100: what moves "
    "together stays together."
)
_RAW_TEXT = (
    "A − β·B with the β of each bar, and its mean over the window. It jumps where β changes, for "
    "β multiplies the whole price of B; beside it is what the z-score is made of."
)
_SPREAD_TEXT = (
    "Spread = A − β·B with the β of each bar; mean and σ over ${window} bars. Of raw prices it is "
    "in the quote currency; of log ones 0.01 is about 1 % of A, whatever the pair."
)
_BETA_TEXT = (
    "Hedge ratio: OLS of A on B over the last ${lookback} bars, with twice its standard error on "
    "either side. Units of B against one of A; of log prices, value against value. The tooltip "
    "says over how many bars it is so far. A Kalman filter’s β (each bar) and a robust one "
    "(Theil–Sen, each minute) are drawn where the analytics job keeps them."
)
_ONLY_IN_TOOLTIP: dict[str, object] = {
    "custom.hideFrom": {"legend": True, "tooltip": False, "viz": True},
    "custom.axisPlacement": "hidden",
    "unit": "none",
    "decimals": 0,
}
