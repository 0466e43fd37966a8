"""A back-test that is kept: its equity, its trades on the z-score, what it cost, all of them."""

from grafana_foundation_sdk.builders import common as build_common
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from grafana.source import variables
from grafana.source.backtest_queries import (
    COSTS,
    EQUITY,
    KEPT_ONES,
    NUMBERS,
    PAGE_LINK,
    PAIR_LINK,
    STATE,
    SUMMARY,
    TRADES,
    ZSCORE,
)
from grafana.source.frame import BACKTEST_UID, PAIR_UID, SERIES_OF_ROW, framed
from grafana.source.panels import (
    HIDDEN,
    columns,
    envelope,
    keep,
    line,
    lines,
    number,
    or_say,
    placed,
    props,
    reads,
    rows,
)
from grafana.source.style import (
    ALARM,
    DOWN,
    GOOD,
    KEPT,
    LEG_A,
    LEG_B,
    NEUTRAL,
    PANELS,
    QUIET,
    mapped,
)
from grafana.source.targets import from_panel, kept

_EQUITY = 3  # another panel reads from it
_NONE = "Nothing to draw: “State” says why."
_NO_TRADE = "No trade in this time range."
_KEEP_ONE = "No back-test is kept yet: spreadlake backtest --keep NAME keeps one."


def backtest_dashboard() -> build.Dashboard:
    """One result, and the list of those that are kept. It changes only when one is kept."""
    board = framed(
        "Back-test",
        BACKTEST_UID,
        "Results of spreadlake backtest --keep: equity, trades on the z-score, costs",
        [
            variables.backtested(),
            variables.backtest(),
            variables.kept(),
            variables.datasource(),
            variables.page(),
            variables.link_of("pair", PAIR_LINK, KEPT),
            variables.link_of("page", PAGE_LINK, KEPT),
        ],
    )
    charts = (_equity(), _drawdown(), _zscore(), _costs())
    for panel in (_state(), _numbers(), *charts, _trades(), _kept_ones()):
        board.with_panel(panel)
    return board.refresh("")


def _state() -> stat.Panel:
    panel = number("State", "state", "What was asked for; or why nothing is drawn.")
    panel.mappings(mapped(("^no |click here", ALARM), (".*", NEUTRAL)))
    panel.text(build_common.VizTextDisplayOptions().value_size(16))
    panel.override_by_name("state", props({"links": [_SHOWS_ALL]}))
    return reads(placed(panel, 1, 0, 0, 9, 4), KEPT, kept(STATE, ()))


def _numbers() -> stat.Panel:
    names = "|".join(_TITLES[name] for name in NUMBERS)
    panel = number("Summary", f"({names})", "As the command tells it.")
    panel.text_mode(common.BigValueTextMode.VALUE_AND_NAME)
    panel.text(build_common.VizTextDisplayOptions().value_size(14).title_size(11))
    for name, title in _TITLES.items():
        panel.override_by_name(name, props({"displayName": title}))
    return reads(placed(panel, 2, 9, 0, 15, 4), KEPT, kept(SUMMARY, ()))


def _equity() -> timeseries.Panel:
    panel = _money("Equity after costs", f"At each bar's close, with open profit. {_STEP}")
    panel.no_value(_NONE)
    envelope(panel, "equity_low", "equity_high", LEG_A)
    panel.override_by_name("equity", line("equity", LEG_A, 1.5))
    panel.with_transformation(keep("equity_low", "equity_high", "equity"))
    reads(placed(panel, _EQUITY, 0, 4, 24, 7), KEPT, kept(EQUITY))
    return panel.with_transformation(or_say())


def _drawdown() -> timeseries.Panel:
    panel = _money("Drawdown", "How far equity is below its highest so far.")
    panel.no_value(_NONE).axis_soft_max(0)
    panel.override_by_name("drawdown", line("drawdown", ALARM, 1, {"custom.fillOpacity": 25}))
    panel.with_transformation(keep("drawdown"))
    reads(placed(panel, 8, 0, 11, 24, 5), PANELS, from_panel(_EQUITY))
    return panel.with_transformation(or_say())


def _money(title: str, description: str) -> timeseries.Panel:
    panel = lines(title, description).max_data_points(1000).interval("1s").unit("none")
    return panel.legend(build_common.VizLegendOptions().show_legend(False))


def _zscore() -> timeseries.Panel:
    panel = lines("Trades on the z-score", _MARKS_TEXT)
    panel.no_value(_NONE).max_data_points(1000).interval("1s")
    panel.axis_soft_min(-3).axis_soft_max(3)
    envelope(panel, "low", "high", NEUTRAL)
    panel.override_by_name("zscore", line("z", NEUTRAL, 1))
    for name, color in (("enter", LEG_B), ("exit", GOOD), ("stop", ALARM)):
        shown = line(f"{name} ±", color, 1, dashed=True)
        panel.override_by_name(f"{name}_high", shown)
        panel.override_by_name(f"{name}_low", line(name, color, 1, dashed=True, quiet=True))
    for name, (title, color, size) in _MARKS.items():
        panel.override_by_name(name, _points(title, color, size))
    reads(placed(panel, 4, 0, 16, 24, 10), KEPT, kept(ZSCORE))
    return panel.with_transformation(or_say())


def _points(title: str, color: str, size: int) -> list[DynamicConfigValue]:
    style: dict[str, object] = {
        "custom.drawStyle": "points",
        "custom.showPoints": "always",
        "custom.pointSize": size,
    }
    return line(title, color, 1, style)


def _costs() -> timeseries.Panel:
    panel = lines("Gross, costs, net", "Sums over the trades that had ended.")
    panel.no_value(_NO_TRADE).max_data_points(500).interval("1s").unit("none")
    panel.line_interpolation(common.LineInterpolation.STEP_AFTER)
    for name, title, color, width in _COSTS:
        panel.override_by_name(name, line(title, color, width))
    return reads(placed(panel, 5, 0, 26, 24, 8), KEPT, kept(COSTS)).with_transformation(or_say())


def _kept_ones() -> table.Panel:
    panel = rows("Kept", "The newest first; a click on a name shows all of it.", _KEEP_ONE)
    panel.override_by_name("name", props({"links": [_OPENS]}))
    share = {"displayName": "net on notional", "unit": "percentunit", "decimals": 2}
    panel.override_by_name("net_on_notional", props(share))
    for name in ("gross", "net", "sharpe", "max_drawdown"):
        title = _TITLES.get(name, name)
        panel.override_by_name(name, props({"displayName": title, "unit": "string"}))
    panel.override_by_name("kept_at", props({"displayName": "kept"}))
    for name in ("_", "span_from", "span_to"):
        panel.override_by_name(name, props(HIDDEN))
    columns(panel, {"name": 150, "pair": 150, "timeframe": 90, "bars": 80, "kept_at": 160})
    reads(placed(panel, 6, 0, 46, 24, 8), KEPT, kept(KEPT_ONES, ("kept_at",)))
    return panel.with_transformation(or_say())


def _trades() -> table.Panel:
    panel = rows(
        "Trades of ${backtest}, the newest 500 of the time range",
        "The last first. A click on a pair opens it at that time; “open” does so on the page.",
        _NO_TRADE,
    )
    panel.override_by_name("pair", props({"links": [_OPENS_PAIR]}))
    panel.override_by_name("page", props({"links": [_OPENS_PAGE], "custom.width": 65}))
    for name, title, width, shown in _COLUMNS:
        panel.override_by_name(name, props({"displayName": title, "custom.width": width, **shown}))
    for name in _FOR_LINK:
        panel.override_by_name(name, props(HIDDEN))
    columns(panel, {"opened": 155, "closed": 155, "pair": 150, "side": 65, "reason": 70})
    reads(placed(panel, 7, 0, 34, 24, 12), KEPT, kept(TRADES, ("opened", "closed")))
    return panel.with_transformation(or_say())


_TITLES = {
    "net": "net",
    "trades": "trades",
    "hit_rate": "hit rate",
    "profit_factor": "profit factor",
    "sharpe": "Sharpe",
    "max_drawdown": "drawdown",
    "time_in_market": "in the market",
    "break_even_bps": "break-even, bps",
}
_MARKS = {
    "in_long": ("in, long", LEG_A, 9),
    "in_short": ("in, short", LEG_B, 9),
    "out_exit": ("out: exit", GOOD, 7),
    "out_stop": ("out: stop", ALARM, 7),
    "out_time": ("out: time", DOWN, 7),
    "out_end": ("out: end", QUIET, 7),
}
_COSTS = (
    ("gross", "gross", LEG_A, 1.5),
    ("fees", "fees, paid", ALARM, 1.5),
    ("funding", "funding", DOWN, 1.5),
    ("net", "net", GOOD, 2.5),
)
_MONEY: dict[str, object] = {"unit": "string", "custom.align": "right"}
_COLUMNS: tuple[tuple[str, str, int, dict[str, object]], ...] = (
    ("entry_zscore", "z in", 65, {"decimals": 2}),
    ("exit_zscore", "z out", 65, {"decimals": 2}),
    ("bars_held", "bars", 60, {"decimals": 0}),
    ("gross", "gross", 90, _MONEY),
    ("fees", "fees", 90, _MONEY),
    ("funding", "funding", 90, _MONEY),
    ("net", "net", 90, _MONEY),
    ("worst", "worst", 90, _MONEY),
    ("best", "best", 90, _MONEY),
)
_FOR_LINK = (
    "_", "symbol_a", "symbol_b", "timeframe", "window_bars", "lookback_bars", "prices",
    "around_from", "around_to", "seen_from", "seen_to",
)  # fmt: skip
_STEP = (
    "Where one point stands for several bars, the line is the last of them, and the shade reaches "
    "from the least to the greatest: no excursion is lost."
)
_MARKS_TEXT = (
    "z at each bar's open, known at its end, as on the pair's dashboard; entries and exits at the "
    f"bar that decided them. {_STEP} Of marks of one kind that fall together it is the one with "
    "the greatest |z|; an exit without a z-score lies at 0, and breaks the line."
)
_SOURCES = "${pair:queryparam}&${kept:queryparam}&${datasource:queryparam}"
_SHOWS_ALL = {
    "title": "Show all of it",
    "url": f"/d/{BACKTEST_UID}?${{backtest:queryparam}}&{_SOURCES}"
    "&from=${__data.fields.span_from}&to=${__data.fields.span_to}",
}
_OPENS = {
    "title": "Show ${__value.text}",
    "url": f"/d/{BACKTEST_UID}?var-backtest=${{__value.text}}&{_SOURCES}"
    "&from=${__data.fields.span_from}&to=${__data.fields.span_to}",
}
_OPENS_PAIR = {
    "title": "Open ${__value.text} at that time",
    "url": f"/d/{PAIR_UID}?var-symbol_a=${{__data.fields.symbol_a}}"
    f"&var-symbol_b=${{__data.fields.symbol_b}}&{SERIES_OF_ROW}"
    "&var-prices=${__data.fields.prices}&${datasource:queryparam}"
    "&from=${__data.fields.around_from}&to=${__data.fields.around_to}",
}
_OPENS_PAGE = {
    "title": "The same on the page",
    "url": "${page:raw}/?a=${__data.fields.symbol_a}&b=${__data.fields.symbol_b}"
    "&timeframe=${__data.fields.timeframe}&window=${__data.fields.window_bars}"
    "&lookback=${__data.fields.lookback_bars}&prices=${__data.fields.prices}"
    "&from=${__data.fields.seen_from}&to=${__data.fields.seen_to}",
    "targetBlank": True,
}
