"""Queries of the back-test dashboard, on the database of those that are kept.

What is drawn is put together to the width: of a long time from the rows that stand for many bars,
so that a year reads as few of them as a day.
"""

from grafana.source.sql import FROM, TO, rounded, significant

_NAME = "${backtest:sqlstring}"
_PAIR = "${pair:sqlstring}"
_CHOSEN = f"SELECT * FROM backtests WHERE name = {_NAME}"
# One point stands for `step` seconds; it is made of rows of `per_row` bars.
_RUN = f"""run AS MATERIALIZED (
  SELECT *, (SELECT max(column1) FROM (VALUES (1), (16), (256), (4096))
    WHERE column1 * length <= step) AS per_row
  FROM (SELECT *, max(length, $__interval_ms / 1000) AS step FROM ({_CHOSEN})))"""
# Of each step the least, the greatest and the last; the last by one seek into the bars themselves.
_DRAWN = f"""drawn AS MATERIALIZED (
  SELECT min(points.time) AS time, run.id AS id,
    (points.time / step + 1) * step AS step_end, min(points.equity_low) AS equity_low,
    max(points.equity_high) AS equity_high, 0 - max(points.drawdown) AS drawdown,
    min(points.zscore_low) AS zscore_low, max(points.zscore_high) AS zscore_high
  FROM run CROSS JOIN backtest_equity AS points
    ON points.backtest_id = run.id AND points.bars = per_row
    AND points.time BETWEEN {FROM} - per_row * length AND {TO}
  GROUP BY points.time / step)"""


def _last(column: str) -> str:
    return f"""(SELECT {column} FROM backtest_equity AS e WHERE e.backtest_id = drawn.id
    AND e.bars = 1 AND e.time < step_end ORDER BY e.time DESC LIMIT 1)"""


# An envelope: no excursion is lost.
EQUITY = f"""WITH {_RUN}, {_DRAWN}
SELECT '' AS _, time, equity_low, equity_high, {_last("equity_low")} AS equity, drawdown
FROM drawn ORDER BY time"""

_OF_MARKS = ("in_long", "in_short", "out_exit", "out_stop", "out_time", "out_end")
_KINDS = ("long", "short", "exit", "stop", "time", "end")
_MARK_STEPS = 4  # a mark is some pixels wide


def _marks(time: str, kind: str, z: str) -> str:
    return f"""SELECT t.{time} AS time, t.{kind} AS kind, t.{z} AS z,
    max(abs(coalesce(t.{z}, 0))) FROM run CROSS JOIN backtest_trades AS t
  WHERE t.backtest_id = run.id AND t.{time} BETWEEN {FROM} AND {TO}
  GROUP BY t.{time} / (step * CASE WHEN step > length THEN {_MARK_STEPS} ELSE 1 END), t.{kind}"""


# Of each kind of mark the one that is farthest from 0 where they would lie over each other. They
# are points of the line too: in a table of its own, Grafana would not draw them with the words that
# it has for no rows.
ZSCORE = f"""WITH {_RUN}, {_DRAWN},
line AS (
  SELECT time, NULL AS kind, zscore_low AS low, zscore_high AS high, {_last("zscore_low")} AS z
  FROM drawn
  UNION ALL SELECT time, kind, NULL, NULL, z FROM (
    {_marks("signal_time", "side", "entry_zscore")})
  UNION ALL SELECT time, kind, NULL, NULL, z FROM (
    {_marks("exit_signal_time", "reason", "exit_zscore")}))
SELECT '' AS _, line.time AS time, low, high, CASE WHEN kind IS NULL THEN z END AS zscore,
  entry AS enter_high, 0 - entry AS enter_low, exit AS exit_high, 0 - exit AS exit_low,
  stop AS stop_high, 0 - stop AS stop_low,
  {
    ", ".join(
        f"CASE kind WHEN '{kind}' THEN coalesce(z, 0.0) END AS {name}"
        for kind, name in zip(_KINDS, _OF_MARKS, strict=True)
    )
}
FROM line CROSS JOIN run ORDER BY line.time"""

_SUMS = "gross, fees, funding, net"
# The sums of each step first, whatever came before the time range as one: few are then added up.
COSTS = f"""WITH {_RUN},
parts AS MATERIALIZED (
  SELECT max(t.exit_time) AS time, sum(t.gross) AS gross, 0 - sum(t.fees) AS fees,
    sum(t.funding) AS funding, sum(t.net) AS net
  FROM run CROSS JOIN backtest_trades AS t ON t.backtest_id = run.id
  WHERE t.exit_time <= {TO}
  GROUP BY CASE WHEN t.exit_time < {FROM} THEN -1 ELSE t.exit_time / step END),
sums AS MATERIALIZED (
  SELECT time, {", ".join(f"sum({name}) OVER w AS {name}" for name in _SUMS.split(", "))}
  FROM parts WINDOW w AS (ORDER BY time)),
newest AS (SELECT {_SUMS} FROM sums ORDER BY time DESC LIMIT 1)
SELECT '' AS _, max(time, {FROM}) AS time, {_SUMS} FROM sums
UNION ALL SELECT '', first_time, 0.0, 0.0, 0.0, 0.0 FROM run
  WHERE first_time BETWEEN {FROM} AND {TO}
UNION ALL SELECT '', min({TO}, last_time + length), newest.gross, newest.fees, newest.funding,
  newest.net FROM newest CROSS JOIN run WHERE last_time + length >= {FROM}
ORDER BY 2"""


def _iso(time: str) -> str:
    return f"strftime('%Y-%m-%dT%H:%M:%SZ', {time}, 'unixepoch')"


_MONEY = ("gross", "fees", "funding", "net", "worst", "best")
TRADES = f"""SELECT '' AS _, t.entry_time AS opened, t.exit_time AS closed, t.pair, t.side,
  t.reason, t.entry_zscore, t.exit_zscore, t.bars_held,
  {", ".join(f"{rounded(f't.{name}', 6)} AS {name}" for name in _MONEY)},
  'open' AS page,
  substr(t.pair, 1, instr(t.pair, '/') - 1) AS symbol_a,
  substr(t.pair, instr(t.pair, '/') + 1) AS symbol_b, run.timeframe,
  coalesce(run.window_bars, 60) AS window_bars, coalesce(run.lookback_bars, 300) AS lookback_bars,
  coalesce(run.prices, 'raw') AS prices,
  CAST((t.signal_time - 60 * length) * 1000 AS TEXT) AS around_from,
  CAST((t.exit_time + 60 * length) * 1000 AS TEXT) AS around_to,
  {_iso("t.signal_time - 60 * length")} AS seen_from, {_iso("t.exit_time + 60 * length")} AS seen_to
FROM ({_CHOSEN}) AS run CROSS JOIN backtest_trades AS t ON t.backtest_id = run.id
WHERE t.exit_time >= {FROM} AND t.entry_time <= {TO} ORDER BY t.trade DESC LIMIT 500"""

# What a link carries to the pair's dashboard, and to the page.
PAIR_LINK = f"""SELECT 'var-symbol_a=' || substr(pair, 1, instr(pair, '/') - 1)
  || '&var-symbol_b=' || substr(pair, instr(pair, '/') + 1) || '&var-timeframe=' || timeframe
  || '&var-window=' || coalesce(window_bars, 60) || '&var-lookback=' || coalesce(lookback_bars, 300)
  || '&var-prices=' || coalesce(prices, 'raw') FROM ({_CHOSEN})"""
PAGE_LINK = f"""SELECT 'a=' || substr(pair, 1, instr(pair, '/') - 1)
  || '&b=' || substr(pair, instr(pair, '/') + 1) || '&timeframe=' || timeframe
  || '&window=' || coalesce(window_bars, 60) || '&lookback=' || coalesce(lookback_bars, 300)
  || '&prices=' || coalesce(prices, 'raw') FROM ({_CHOSEN})"""

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
    WHEN name IS NULL AND {_PAIR} <> 'all' AND {_PAIR} NOT IN (SELECT pair FROM backtests) THEN
      'no back-test of ' || {_PAIR} || ' is kept: spreadlake backtest --pair ' || {_PAIR}
      || ' --keep NAME; others: choose all above'
    WHEN name IS NULL THEN 'no back-test of this name is kept: choose one above'
    WHEN first_time IS NULL THEN 'it has no bar'
    WHEN last_time < {FROM} OR first_time > {TO} THEN 'from ' || datetime(first_time, 'unixepoch')
      || ' to ' || datetime(last_time + length, 'unixepoch')
      || ', not in this time range; click here for all of it'
    ELSE {_SETTINGS} || ' · ' || datetime(first_time, 'unixepoch') || ' to '
      || datetime(last_time + length, 'unixepoch') || ' UTC, kept '
      || datetime(kept_at, 'unixepoch') END AS state, {_SPAN}
FROM (SELECT 1) LEFT JOIN ({_CHOSEN})"""

NUMBERS = (
    "net", "trades", "hit_rate", "profit_factor", "sharpe", "max_drawdown", "time_in_market",
    "break_even_bps",
)  # fmt: skip
_SHARES = ("hit_rate", "time_in_market")
_DIGITS = {"net": 6, "max_drawdown": 6, "profit_factor": 3, "sharpe": 3, "break_even_bps": 3}


def _in_words(name: str) -> str:
    """A number of the summary as text, with its significant digits."""
    if name in _SHARES:
        return f"printf('%.1f %%', 100 * {name})"
    return significant(name, _DIGITS[name]) if name in _DIGITS else f"printf('%,d', {name})"


_WORDS = [f"CASE WHEN {one} IS NOT NULL THEN {_in_words(one)} END AS {one}" for one in NUMBERS]
SUMMARY = f"SELECT {', '.join(_WORDS)} FROM ({_CHOSEN})"

KEPT_ONES = f"""SELECT '' AS _, name, pair, timeframe,
  coalesce(window_bars, '–') || '/' || coalesce(lookback_bars, '–') AS bars, trades,
  {rounded("gross", 6)} AS gross, {rounded("net", 6)} AS net, net_on_notional,
  {rounded("sharpe", 3)} AS sharpe, {rounded("max_drawdown", 6)} AS max_drawdown, kept_at, {_SPAN}
FROM backtests WHERE {_PAIR} IN ('all', pair) ORDER BY kept_at DESC, id DESC LIMIT 200"""
