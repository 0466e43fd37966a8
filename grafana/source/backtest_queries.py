"""Queries of the back-test dashboard, on the database of those that are kept.

What is drawn is put together to the width: of a long time from the rows that stand for many bars,
so that a year reads as few of them as a day.
"""

from grafana.source.sql import FROM, TO

_NAME = "${backtest:sqlstring}"
_CHOSEN = f"SELECT * FROM backtests WHERE name = {_NAME}"
# One point stands for `step` seconds; it is made of rows of `per_row` bars.
_RUN = f"""run AS MATERIALIZED (
  SELECT *, (SELECT max(column1) FROM (VALUES (1), (16), (256), (4096))
    WHERE column1 * length <= step) AS per_row
  FROM (SELECT *, max(length, $__interval_ms / 1000) AS step FROM ({_CHOSEN})))"""
_DRAWN = f"""drawn AS MATERIALIZED (
  SELECT min(points.time) AS time, step, min(points.equity_low) AS equity_low,
    max(points.equity_high) AS equity_high, 0 - max(points.drawdown) AS drawdown,
    min(points.zscore_low) AS zscore_low, max(points.zscore_high) AS zscore_high
  FROM run CROSS JOIN backtest_equity AS points
    ON points.backtest_id = run.id AND points.bars = per_row
    AND points.time BETWEEN {FROM} - per_row * length AND {TO}
  GROUP BY points.time / step)"""

# The lowest and the highest of each step, as two points of one line: no excursion is lost.
EQUITY = f"""WITH {_RUN}, {_DRAWN}
SELECT '' AS _, time, equity_low AS equity, drawdown FROM drawn
UNION ALL
SELECT '', time + step / 2, equity_high, drawdown FROM drawn WHERE equity_high > equity_low
ORDER BY 2"""

_OF_MARKS = ("in_long", "in_short", "out_exit", "out_stop", "out_time", "out_end")
_KINDS = ("long", "short", "exit", "stop", "time", "end")

# Of each kind of mark the one that is farthest from 0 in each step. They are points of the line
# too: in a table of its own, Grafana would not draw them with the words that it has for no rows.
ZSCORE = f"""WITH {_RUN}, {_DRAWN},
marks AS (
  SELECT signal_time AS time, side AS kind, entry_zscore AS z
  FROM run CROSS JOIN backtest_trades AS t ON t.backtest_id = run.id
  UNION ALL
  SELECT exit_signal_time, reason, exit_zscore
  FROM run CROSS JOIN backtest_trades AS t ON t.backtest_id = run.id),
chosen AS MATERIALIZED (
  SELECT marks.time AS time, kind, z, max(abs(coalesce(z, 0))) FROM marks CROSS JOIN run
  WHERE marks.time BETWEEN {FROM} AND {TO} GROUP BY marks.time / step, kind),
line AS (
  SELECT time, NULL AS kind, zscore_low AS z FROM drawn
  UNION ALL SELECT time + step / 2, NULL, zscore_high FROM drawn WHERE zscore_high > zscore_low
  UNION ALL SELECT time, kind, z FROM chosen)
SELECT '' AS _, line.time AS time, z AS zscore, entry AS enter_high, 0 - entry AS enter_low,
  exit AS exit_high, 0 - exit AS exit_low, stop AS stop_high, 0 - stop AS stop_low,
  {
    ", ".join(
        f"CASE kind WHEN '{kind}' THEN coalesce(z, 0.0) END AS {name}"
        for kind, name in zip(_KINDS, _OF_MARKS, strict=True)
    )
}
FROM line CROSS JOIN run ORDER BY line.time"""

_SUMS = "gross, fees, funding, net"
COSTS = f"""WITH {_RUN},
sums AS MATERIALIZED (
  SELECT t.exit_time AS time, row_number() OVER w AS place, sum(t.gross) OVER w AS gross,
    0 - sum(t.fees) OVER w AS fees, sum(t.funding) OVER w AS funding, sum(t.net) OVER w AS net
  FROM run CROSS JOIN backtest_trades AS t ON t.backtest_id = run.id
  WHERE t.exit_time <= {TO} WINDOW w AS (ORDER BY t.exit_time, t.trade)),
before AS (SELECT {_SUMS} FROM sums WHERE time < {FROM} ORDER BY place DESC LIMIT 1),
newest AS (SELECT {_SUMS} FROM sums ORDER BY place DESC LIMIT 1)
SELECT '' AS _, time, {_SUMS} FROM (
  SELECT sums.time AS time, {", ".join(f"sums.{name}" for name in _SUMS.split(", "))}, max(place)
  FROM sums CROSS JOIN run WHERE sums.time >= {FROM} GROUP BY sums.time / step)
UNION ALL SELECT '', {FROM}, {_SUMS} FROM before
UNION ALL SELECT '', first_time, 0.0, 0.0, 0.0, 0.0 FROM run
  WHERE first_time BETWEEN {FROM} AND {TO}
UNION ALL SELECT '', min({TO}, last_time + length), newest.gross, newest.fees, newest.funding,
  newest.net FROM newest CROSS JOIN run WHERE last_time + length >= {FROM}
ORDER BY 2"""

TRADES = f"""SELECT '' AS _, t.entry_time AS opened, t.exit_time AS closed, t.pair, t.side,
  t.reason, t.entry_zscore, t.exit_zscore, t.bars_held, t.gross, t.fees, t.funding, t.net,
  t.worst, t.best,
  substr(t.pair, 1, instr(t.pair, '/') - 1) AS symbol_a,
  substr(t.pair, instr(t.pair, '/') + 1) AS symbol_b, run.timeframe,
  coalesce(run.window_bars, 60) AS window_bars, coalesce(run.lookback_bars, 300) AS lookback_bars,
  coalesce(run.prices, 'raw') AS prices,
  CAST((t.signal_time - 60 * length) * 1000 AS TEXT) AS around_from,
  CAST((t.exit_time + 60 * length) * 1000 AS TEXT) AS around_to
FROM ({_CHOSEN}) AS run CROSS JOIN backtest_trades AS t ON t.backtest_id = run.id
WHERE t.exit_time >= {FROM} AND t.entry_time <= {TO} ORDER BY t.trade DESC LIMIT 500"""

_SPAN = """CAST(first_time * 1000 AS TEXT) AS span_from,
  CAST((last_time + length) * 1000 AS TEXT) AS span_to"""


def _setting(name: str, word: str) -> str:
    value = f"json_extract(settings, '$.{name}')"
    text = f"CASE typeof({value}) WHEN 'text' THEN {value} ELSE printf('%g', {value}) END"
    return f"CASE WHEN {value} IS NULL THEN '' ELSE ' · {word} ' || {text} END"


_SETTINGS = " || ".join(
    (
        "pair || ' · ' || timeframe",
        *(_setting(name, name) for name in ("window", "lookback", "prices")),
        *(_setting(name, name) for name in ("entry", "exit", "stop")),
        _setting("max_bars", "max bars"),
        _setting("fee_bps", "fee bps"),
        _setting("slippage_bps", "slippage bps"),
    )
)

# One row, always: what was asked for, or why nothing is drawn. A link takes the times as text.
STATE = f"""SELECT CASE
    WHEN name IS NULL AND NOT EXISTS (SELECT 1 FROM backtests) THEN
      'no back-test is kept yet: spreadlake backtest --keep NAME'
    WHEN name IS NULL THEN 'no back-test of this name is kept: choose one above'
    WHEN first_time IS NULL THEN 'it has no bar'
    WHEN last_time < {FROM} OR first_time > {TO} THEN 'from ' || datetime(first_time, 'unixepoch')
      || ' to ' || datetime(last_time + length, 'unixepoch')
      || ', not in this time range; click here for all of it'
    ELSE {_SETTINGS} END AS state, {_SPAN}
FROM (SELECT 1) LEFT JOIN ({_CHOSEN})"""

NUMBERS = (
    "net", "trades", "hit_rate", "profit_factor", "sharpe", "max_drawdown", "time_in_market",
    "break_even_bps",
)  # fmt: skip
SUMMARY = f"SELECT {', '.join(NUMBERS)} FROM ({_CHOSEN})"

KEPT_ONES = f"""SELECT '' AS _, name, pair, timeframe,
  coalesce(window_bars, '–') || '/' || coalesce(lookback_bars, '–') AS bars, trades, gross, net,
  net_on_notional, sharpe, max_drawdown, kept_at, {_SPAN}
FROM backtests ORDER BY kept_at DESC, id DESC LIMIT 200"""
