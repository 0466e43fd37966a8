"""The drop-downs, with the same names on every dashboard so that links carry them over."""

from collections.abc import Sequence
from typing import Literal

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import DataSourceRef

from grafana.source.sql import KEPT_PRICES, SYMBOL_A
from grafana.source.style import KEPT, LAKE

Variable = build.QueryVariable | build.CustomVariable | build.DatasourceVariable

_BY_LENGTH = "ORDER BY instr('smh', substr(timeframe, -1)), CAST(timeframe AS INTEGER)"

# Leg A of the first configured pair comes first: it is what an unknown lake opens with.
_SYMBOLS_A = """SELECT symbol FROM first_bars GROUP BY symbol
ORDER BY symbol NOT IN (SELECT substr(pair, 1, instr(pair, '/') - 1) FROM pair_status), symbol"""

_SYMBOLS_B = f"""SELECT symbol FROM first_bars WHERE symbol <> {SYMBOL_A} GROUP BY symbol
ORDER BY {SYMBOL_A} || '/' || symbol NOT IN (SELECT pair FROM pair_status), symbol"""

_TIMEFRAMES = f"SELECT timeframe FROM first_bars GROUP BY timeframe {_BY_LENGTH}"
# The kind that was screened last comes first.
_SCREENS = """SELECT timeframe || ' ' || lookback_bars || ' ' || window_bars FROM screens
GROUP BY timeframe, lookback_bars, window_bars ORDER BY max(time) DESC"""
_BACKTESTS = """SELECT name FROM backtests WHERE ${pair:sqlstring} IN ('all', pair)
ORDER BY kept_at DESC, id DESC LIMIT 1000"""
_BACKTESTED = (
    "SELECT 'all' UNION ALL SELECT pair FROM (SELECT DISTINCT pair FROM backtests ORDER BY 1)"
)
# What the lake keeps comes first: it is what a dashboard opens with.
_PRICES = f"""SELECT kind FROM (SELECT 'raw' AS kind UNION ALL SELECT 'log')
ORDER BY kind <> {KEPT_PRICES}"""
_ROLLUPS = """SELECT coalesce(
  (SELECT name FROM sqlite_master WHERE name = 'pair_rollups'), 'no_rollups') AS name"""
_PAGE = """SELECT coalesce((SELECT value FROM meta WHERE key = 'page_url'), 'http://127.0.0.1:9464')
  AS url"""
_CONFIGURED_TIMEFRAMES = f"SELECT timeframe FROM pair_status GROUP BY timeframe {_BY_LENGTH}"


def datasource() -> build.DatasourceVariable:
    """Which lake: any SQLite data source, but those of back-tests that are kept."""
    return (
        build.DatasourceVariable("datasource")
        .label("Lake")
        .type("frser-sqlite-datasource")
        .regex("/^(?!Back-tests)/")
        .current(model.VariableOption(text="Lake", value="spreadlake-lake"))
    )


def kept() -> build.DatasourceVariable:
    """Where back-tests are kept: any SQLite data source whose name begins so."""
    return (
        build.DatasourceVariable("kept")
        .label("Kept in")
        .type("frser-sqlite-datasource")
        .regex("/^Back-tests/")
        .current(model.VariableOption(text="Back-tests", value="spreadlake-backtests"))
    )


def backtested() -> build.QueryVariable:
    """The pairs whose back-tests are offered: all, or one."""
    variable = _query("pair", "Pair of the back-tests", _BACKTESTED, "all").datasource(KEPT)
    return variable.allow_custom_value(True)


def link_of(kind: Literal["pair", "page"], sql: str, source: DataSourceRef) -> build.QueryVariable:
    """What a link to the pair's dashboard or to the page carries, as that takes it."""
    return _hidden(f"{kind}_link", "Link", sql, None).datasource(source)


def backtest() -> build.QueryVariable:
    """Which of the back-tests that are kept, the newest first."""
    return _query("backtest", "Back-test, the newest first", _BACKTESTS, None).datasource(KEPT)


def symbol_a() -> build.QueryVariable:
    """Leg A: any symbol that has bars."""
    return _query("symbol_a", "Symbol A", _SYMBOLS_A, "BTCUSDT")


def symbol_b() -> build.QueryVariable:
    """Leg B: any other symbol, those that are configured with A first."""
    return _query("symbol_b", "B", _SYMBOLS_B, "ETHUSDT")


def timeframe() -> build.QueryVariable:
    """Length of the bars: any that is stored."""
    return _query("timeframe", "Timeframe", _TIMEFRAMES, "1s")


def configured_timeframe() -> build.QueryVariable:
    """Length of the bars: those whose pairs the analytics job keeps."""
    return _query("timeframe", "Bars of the configured pairs", _CONFIGURED_TIMEFRAMES, "1s")


def window(*, free: bool) -> build.QueryVariable:
    """Bars of the z-score; `free`: usual numbers and any typed one, else the configured ones."""
    return _bars("window", "z window", "window_bars", (30, 60, 120, 240, 600) if free else (), "60")


def lookback(*, free: bool) -> build.QueryVariable:
    """Bars of the hedge regression."""
    return _bars(
        "lookback", "Lookback", "lookback_bars", (120, 300, 600, 1800) if free else (), "300"
    )


def prices() -> build.QueryVariable:
    """What is computed on: raw closes or their logarithms, at first as the lake keeps it."""
    return _query("prices", "Prices", _PRICES, None)


def kept_prices() -> build.QueryVariable:
    """What the lake's pair analytics are on, for titles."""
    return _hidden("kept_prices", "Prices", f"SELECT {KEPT_PRICES} AS kind", None)


def rollups() -> build.QueryVariable:
    """The table of the roll-ups, or that without rows in the SQL where the lake has none yet."""
    return _hidden("rollups", "Roll-ups", _ROLLUPS, "pair_rollups")


def page() -> build.QueryVariable:
    """Where a browser finds the exporter's page, for links."""
    return _hidden("page", "Page", _PAGE, "http://127.0.0.1:9464")


def threshold() -> build.CustomVariable:
    """|z| that is drawn as stretched; chosen or typed. It opens no alert, and says so."""
    variable = _choice("threshold", "Draw |z| from", ("1", "1.5", "2", "2.5", "3", "4"), "2")
    return variable.description(
        "Only draws: the lines, the colour of what is beyond, the share of bars beyond. It opens "
        "no alert: a rule does. “Alert …” above a pair shows which rules watch it, and the "
        "line to paste that makes an alert of this threshold."
    )


def screen() -> build.QueryVariable:
    """Which screens: length of the bars, lookback and window, as one text."""
    return _query("screen", "Screen: bars, lookback, window", _SCREENS, "1m 240 60")


def most_qvalue() -> build.CustomVariable:
    """The greatest q-value that is listed; chosen or typed."""
    return _choice("qvalue", "q ≤", ("0.01", "0.05", "0.1", "0.2", "1"), "1")


def least_volume() -> build.CustomVariable:
    """The least quote volume of each leg over the lookback; chosen or typed."""
    return _choice("volume", "Volume ≥", ("0", "100000", "1000000", "10000000"), "0")


def _hidden(name: str, label: str, sql: str, default: str | None) -> build.QueryVariable:
    """What only the SQL and links need; a bookmark would keep what it was then."""
    variable = _query(name, label, sql, default).hide(model.VariableHide.HIDE_VARIABLE)
    variable.build().skip_url_sync = True
    return variable


def _bars(
    name: str, label: str, column: str, usual: Sequence[int], default: str
) -> build.QueryVariable:
    usual_ones = "".join(f" UNION SELECT {bars}" for bars in usual)
    sql = f"""SELECT CAST(bars AS TEXT) FROM (
  SELECT {column} AS bars FROM pair_status GROUP BY 1{usual_ones} ORDER BY bars)"""
    return _query(name, label, sql, default).allow_custom_value(bool(usual))


def _choice(name: str, label: str, choices: Sequence[str], default: str) -> build.CustomVariable:
    return (
        build.CustomVariable(name)
        .label(label)
        .values(",".join(choices))
        .options([_option(choice, choice == default) for choice in choices])
        .current(_option(default, selected=True))
        .allow_custom_value(True)
    )


def _query(name: str, label: str, sql: str, default: str | None) -> build.QueryVariable:
    """Without a default it is the first of what there is."""
    variable = (
        build.QueryVariable(name)
        .label(label)
        .datasource(LAKE)
        .query(sql)
        .definition(sql)
        .refresh(model.VariableRefresh.ON_DASHBOARD_LOAD)
        .sort(model.VariableSort.DISABLED)
        .allow_custom_value(False)
    )
    return variable if default is None else variable.current(_option(default, selected=True))


def _option(value: str, selected: bool) -> model.VariableOption:
    return model.VariableOption(text=value, value=value, selected=selected)
