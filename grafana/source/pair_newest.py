"""Query of the pair dashboard's numbers: the newest bar of the time range, or why there is none."""

from grafana.source.frame import RANGE, RANGE_SECONDS
from grafana.source.pair_plan import MOST_REACH
from grafana.source.pair_sql import COMPUTED, IS_KEPT, KEPT, pair_sql
from grafana.source.sql import (
    FROM,
    NOW,
    OLD_SECONDS,
    PAIR,
    SYMBOL_A,
    SYMBOL_B,
    TIMEFRAME,
    TO,
    WATERMARK,
    WRONG,
    as_of,
    duration,
    probability,
    signed,
    significant,
)
from spreadlake.statistics import PAIR_STATISTICS, SLOW_STATISTICS, Shown, Statistic

# What is shown beside the z-score.
SHOWN = [(one, one.shown) for one in (*PAIR_STATISTICS, *SLOW_STATISTICS) if one.shown]

# So many bars of an old lake are shown when it is opened.
SHOWN_BARS = 3600


def _last(symbol: str) -> str:
    return f"(SELECT max(time) FROM bars WHERE symbol = {symbol} AND timeframe = {TIMEFRAME})"


_FACTS = f"""SELECT args.len, args.n, args.m, args.stale, kind, computed,
    since AS newest, args.first,
    since - reach AS since_reach, args.hot,
    coalesce((since - run) / args.len + 1, 0) AS have, run AS begin,
    min({_last(SYMBOL_A)}, {_last(SYMBOL_B)}) AS last,
    {WATERMARK} AS watermark, {NOW} AS clock
  FROM args LEFT JOIN running ON time = since"""


def _newest(one: Statistic) -> str:
    """The newest value of a statistic that is shown, from where there is one."""
    if one in SLOW_STATISTICS:
        return _test(one.column, one.column)
    return one.column if one.column in COMPUTED else _stored(one.column)


_OF_TESTS = f"""FROM pair_tests
      WHERE pair = {PAIR} AND timeframe = {TIMEFRAME} AND lookback_bars = m
        AND time >= CASE WHEN begin > max(since_reach, hot) THEN begin ELSE 0 END
        AND time <= newest AND coalesce(prices, 'raw') = kind"""


# A lake of before has no such columns: the names then mean the NULLs beside the table.
def _stored(column: str) -> str:
    return f"""(SELECT (SELECT {column} FROM pair_analytics
      WHERE {KEPT} AND time = newest AND coalesce(prices, 'raw') = kind)
    FROM (SELECT NULL AS {column}, NULL AS prices)) AS {column}"""


def _test(value: str, name: str) -> str:
    return f"""(SELECT (SELECT {value} {_OF_TESTS} ORDER BY time DESC LIMIT 1)
    FROM (SELECT NULL AS prices)) AS {name}"""


# Late is what should be of now, and is not; what is much older than that is of before.
_IS_LATE = f"(age > 15 AND age <= {OLD_SECONDS} AND {TO} >= clock - 60)"

_TOO_LONG = (
    f"not computed here: a window or lookback of more than {MOST_REACH:,} bars takes too long; "
    "the page above computes it"
)
_STATE = f"""coalesce({WRONG}, CASE
    WHEN newest IS NULL AND last IS NULL THEN
      'no bars yet of ' || {SYMBOL_A} || ' and ' || {SYMBOL_B}
    WHEN newest IS NULL THEN 'no bars before this time range; click here for the newest'
    WHEN newest < {FROM} THEN
      'no bars in this time range: the newest is of ' || datetime(newest, 'unixepoch')
        || '; click here for the newest'
    WHEN NOT computed AND price_a IS NULL THEN '{_TOO_LONG}'
    WHEN NOT computed AND zscore IS NULL THEN 'stale or flat: no z-score is kept of this bar'
    WHEN computed AND have < n AND coalesce(begin > hot OR begin = first, 1) THEN
      'warming up: ' || have || ' of ' || n || ' bars'
    WHEN price_a IS NULL THEN 'not enough bars before this time: older ones are in Parquet'
    WHEN is_stale THEN 'stale: a leg has had no trade for more than ' || stale || ' bars'
    WHEN zscore IS NULL THEN 'flat: no z-score, prices do not vary over ' || n || ' bars'
    WHEN {_IS_LATE} THEN
      'late: no newer bar for ' || {duration("age")}
    WHEN NOT computed THEN 'ready: hedge ratio over ' || coalesce(hedge_bars || ' ', '') || 'bars'
    WHEN have < m THEN 'ready: hedge ratio over ' || have || ' bars, growing to ' || m
    ELSE 'ready: hedge ratio over ' || m || ' bars' END)"""

# The time range of the newest bars, as a link takes it: text, for numbers would be formatted.
_IS_NEW = f"coalesce(last + len > clock - {RANGE_SECONDS}, 1)"
_NEWEST_RANGE = f"""CASE WHEN {_IS_NEW} THEN '{RANGE}'
    ELSE CAST(max(first, last + len - {SHOWN_BARS} * len) * 1000 AS TEXT) END AS newest_from,
  CASE WHEN {_IS_NEW} THEN 'now' ELSE CAST((last + len) * 1000 AS TEXT) END AS newest_to"""

# Why a half-life that was looked for is none.
_NO_HALF_LIFE = "overshoots"


def _text(one: Statistic, shown: Shown) -> str:
    """The value as it is read, or why there is none; what is old begins with a hollow sign."""
    if shown.is_probability:
        text = probability(one.column)
    elif shown.decimals is None:
        text = significant(one.column)
    else:
        text = f"replace(printf('%.{shown.decimals}f', {one.column}), '-', '−')"
    text = f"CASE WHEN at <> '' THEN '○ ' ELSE '' END || {text}"
    text = f"CASE WHEN newest IS NULL THEN NULL WHEN {one.column} IS NOT NULL THEN {text}"
    if one in SLOW_STATISTICS:
        text += " WHEN NOT is_kept THEN 'not kept' WHEN is_tested IS NULL THEN 'not yet'"
    if one.column == "half_life":
        text += f" ELSE '{_NO_HALF_LIFE}'"
    return f"{text} END AS {one.column}_text"


# Of the newest bar of the time range: what there is, and what is said of it.
_ROW = f"""SELECT *, {as_of("newest", "len", "")} AS at, {_STATE} AS state,
  {_test("1", "is_tested")}, {IS_KEPT} AS is_kept,
  {", ".join(_newest(one) for one, _ in SHOWN if one.column not in COMPUTED)}
FROM (SELECT 1) LEFT JOIN (SELECT facts.*, clock - CASE WHEN newest = last
    AND watermark > newest + len THEN watermark ELSE newest + len END AS age
  FROM ({_FACTS}) AS facts)
LEFT JOIN (SELECT time, price_a, is_stale, {", ".join(COMPUTED)} FROM numbers) AS numbers
  ON time = newest"""

# One row, always. Until the next bar is final the newest one is as fresh as the watermark.
NEWEST = pair_sql(
    "newest",
    f"""SELECT state,
  state || CASE WHEN at = '' OR state GLOB 'no bars*' OR state GLOB 'late*' THEN ''
    ELSE ' · ' || at END AS state_text,
  {signed("zscore")} || CASE at WHEN '' THEN '' ELSE ' ' || at END AS z,
  zscore, spread, {", ".join(one.column for one, _ in SHOWN)},
  {", ".join(_text(one, shown) for one, shown in SHOWN)},
  age, {duration("age")} || CASE WHEN at = '' OR {_IS_LATE} THEN '' ELSE ' · ' || at END
    AS age_text,
  {_NEWEST_RANGE}
FROM (WITH row AS MATERIALIZED ({_ROW}) SELECT * FROM row)""",
)
