"""SQL of the pair dashboard: the analytics of any two symbols, computed from `bars`.

The definitions are those of `pair_analytics`, and so are the numbers, to 1e-9. Moments are sums
over `ROWS n-1 PRECEDING` of prices less a price near by: the bars are cut into chunks a few
windows long, each with its own centre and with the bars before it that its windows reach back to.
Without that, squares of the price would eat the digits that the variance is made of.

Over more than LONG bars, a series that the analytics job keeps is read from where it keeps it. Of
one that it does not keep, a chart then computes only some bars, each exactly: a day of 1s bars
would take longer than the dashboard waits between two refreshes.
"""

from typing import Literal

__all__ = [
    "FROM",
    "LONG",
    "LOOKBACK",
    "NOW",
    "PAIR",
    "SYMBOL_A",
    "SYMBOL_B",
    "THRESHOLD",
    "TIMEFRAME",
    "TO",
    "WATERMARK",
    "WINDOW",
    "Rows",
    "duration",
    "pair_sql",
    "seconds_of",
    "signed",
]

LONG = 10_000

# Which rows: every bar of the time range; one bar a step (that with the greatest |z|); the newest.
Rows = Literal["all", "sampled", "newest"]

SYMBOL_A = "${symbol_a:sqlstring}"
SYMBOL_B = "${symbol_b:sqlstring}"
TIMEFRAME = "${timeframe:sqlstring}"
PAIR = f"{SYMBOL_A} || '/' || {SYMBOL_B}"
THRESHOLD = "abs(CAST(${threshold:sqlstring} AS REAL))"
FROM = "$__from / 1000"
TO = "$__to / 1000"

NOW = "CAST(strftime('%s', 'now') AS REAL) + strftime('%f', 'now') % 1.0"
WATERMARK = "(SELECT value / 1000.0 FROM progress WHERE key = 'watermark_ms')"


def signed(z: str) -> str:
    """A z-score as text; a triangle says that it is beyond the threshold, and on which side."""
    return f"""CASE WHEN {z} >= {THRESHOLD} THEN '▲ ' WHEN {z} <= -{THRESHOLD} THEN '▼ '
    WHEN {z} IS NOT NULL THEN '' END || replace(printf('%+.2f', {z}), '-', '−')"""


def duration(seconds: str) -> str:
    """A time span as text in one unit, so that the number does not jump between units."""
    return f"""CASE WHEN {seconds} < 100 THEN printf('%.1f s', max({seconds}, 0))
    WHEN {seconds} < 7200 THEN CAST({seconds} / 60 AS INTEGER) || ' min'
    WHEN {seconds} < 172800 THEN CAST({seconds} / 3600 AS INTEGER) || ' h'
    WHEN {seconds} IS NOT NULL THEN CAST({seconds} / 86400 AS INTEGER) || ' days' END"""


def bars_of(variable: str) -> str:
    """A typed number of bars as a constant from 2 to 100000, whatever was typed."""
    number = f"CAST(${{{variable}:sqlstring}} AS INTEGER)"
    return f"CASE WHEN {number} < 2 THEN 2 WHEN {number} > 100000 THEN 100000 ELSE {number} END"


def seconds_of(timeframe: str) -> str:
    """Length in seconds of a timeframe such as '5m'."""
    unit = f"CASE substr({timeframe}, -1) WHEN 's' THEN 1 WHEN 'm' THEN 60 ELSE 3600 END"
    return f"CAST({timeframe} AS INTEGER) * {unit}"


WINDOW = bars_of("window")
LOOKBACK = bars_of("lookback")

_NEWEST = f"""min(
      (SELECT max(time) FROM bars
       WHERE symbol = {SYMBOL_A} AND timeframe = {TIMEFRAME} AND time <= {TO}),
      (SELECT max(time) FROM bars
       WHERE symbol = {SYMBOL_B} AND timeframe = {TIMEFRAME} AND time <= {TO}))"""


_KEPT = f"""pair = {PAIR} AND timeframe = {TIMEFRAME}
      AND window_bars = n AND lookback_bars = m"""


def _args(since: str, rows: Rows) -> str:
    return f"""args AS MATERIALIZED (
  SELECT len, n, m, stale, since, max(n, m, stale + 1) * len AS reach,
    4 * max(n, m, stale + 1) * len AS span,
    ({TO} - since) / len > {LONG} AND EXISTS (SELECT 1 FROM series WHERE {_KEPT}) AS kept,
    {int(rows == "sampled")} AND ({TO} - since) / len > {LONG}
      AND NOT EXISTS (SELECT 1 FROM series WHERE {_KEPT}) AS sparse,
    (SELECT max(time) FROM first_bars
     WHERE timeframe = {TIMEFRAME} AND symbol IN ({SYMBOL_A}, {SYMBOL_B})) AS first
  FROM (
    SELECT {seconds_of(TIMEFRAME)} AS len, {WINDOW} AS n, {LOOKBACK} AS m, {since} AS since,
      coalesce((SELECT json_extract(definition, '$.max_stale_bars') FROM series LIMIT 1), 30)
        AS stale))"""


# CROSS JOIN keeps the order of the tables. Left to itself the planner may begin with a table whose
# range of times it does not know yet, and read all of its history.
_CHUNKS = f"""chunks AS (
  SELECT a.time, a.time / span + later AS chunk, a.close AS a, b.close AS b,
    CASE WHEN a.trades > 0 THEN a.time END AS traded_a,
    CASE WHEN b.trades > 0 THEN b.time END AS traded_b
  FROM args CROSS JOIN (SELECT 0 AS later UNION ALL SELECT 1)
  CROSS JOIN bars AS a ON NOT kept AND NOT sparse
    AND a.symbol = {SYMBOL_A} AND a.timeframe = {TIMEFRAME}
    AND a.time BETWEEN since - reach AND {TO}
  CROSS JOIN bars AS b
    ON b.symbol = {SYMBOL_B} AND b.timeframe = {TIMEFRAME} AND b.time = a.time
  WHERE later = 0 OR a.time % span >= span - reach)"""

_CENTRED = """centred AS (
  SELECT time, chunk, a, b, a - first_value(a) OVER c AS x, b - first_value(b) OVER c AS y,
    ln(a / lag(a) OVER c) AS u, ln(b / lag(b) OVER c) AS v,
    row_number() OVER c AS place,
    max(traded_a) OVER c AS last_a, max(traded_b) OVER c AS last_b
  FROM chunks WINDOW c AS (PARTITION BY chunk ORDER BY time))"""


def _sums(suffix: str, window: str, x: str = "x", y: str = "y") -> str:
    """Count and sums of a window; those of returns leave out the return into its first bar."""
    terms = {"x": x, "y": y, "xx": f"{x} * {x}", "yy": f"{y} * {y}", "xy": f"{x} * {y}"}
    first = " - coalesce(first_value({0}) OVER w, 0)" if x == "u" else ""
    return ", ".join(
        f"sum({term}) OVER {window}{first.format(term)} AS {name}{suffix}"
        for name, term in terms.items()
    )


_DENSE = f"""dense AS (
  SELECT time, chunk, a, b, x, y, place, last_a, last_b,
    count(*) OVER w AS nw, {_sums("w", "w")},
    count(*) OVER l AS nl, {_sums("l", "l")},
    count(*) OVER w - 1 AS nr, {_sums("r", "w", "u", "v")}
  FROM centred
  WINDOW w AS (PARTITION BY chunk ORDER BY time ROWS {WINDOW} - 1 PRECEDING),
    l AS (PARTITION BY chunk ORDER BY time ROWS {LOOKBACK} - 1 PRECEDING))"""

# Every so many bars one, so that no more than about _BARS bars are read for all their windows.
_BARS = 100_000
_POINTS = f"""points AS MATERIALIZED (
  WITH RECURSIVE stepping(at, stride) AS (
    SELECT {_NEWEST}, ({TO} - since) * max(n, m) / {_BARS} / len * len + len
    FROM args WHERE sparse
    UNION ALL
    SELECT at - stride, stride FROM stepping WHERE at - stride >= (SELECT since FROM args))
  SELECT args.*, at, a.close AS a, b.close AS b FROM args CROSS JOIN stepping
  CROSS JOIN bars AS a ON a.symbol = {SYMBOL_A} AND a.timeframe = {TIMEFRAME} AND a.time = at
  CROSS JOIN bars AS b ON b.symbol = {SYMBOL_B} AND b.timeframe = {TIMEFRAME} AND b.time = at)"""


def _if_within(bars: str, suffix: str) -> str:
    """Sums of the last `bars` bars up to the point, of prices less the point's own."""
    x, y = "(i.close - points.a)", "(j.close - points.b)"
    terms = {"x": x, "y": y, "xx": f"{x} * {x}", "yy": f"{y} * {y}", "xy": f"{x} * {y}"}
    inside = f"CASE WHEN i.time > at - {bars} * len THEN"
    return ", ".join(
        [f"count({inside} 1 END) AS n{suffix}"]
        + [f"sum({inside} {term} END) AS {name}{suffix}" for name, term in terms.items()]
    )


_SPARSE = f"""sparse_prices AS MATERIALIZED (
  SELECT at, points.a, points.b, len, span, n, count(*) AS place,
    max(CASE WHEN i.trades > 0 THEN i.time END) AS last_a,
    max(CASE WHEN j.trades > 0 THEN j.time END) AS last_b,
    {_if_within("n", "w")}, {_if_within("m", "l")}
  FROM points CROSS JOIN bars AS i ON i.symbol = {SYMBOL_A} AND i.timeframe = {TIMEFRAME}
    AND i.time BETWEEN at - reach + len AND at
  CROSS JOIN bars AS j ON j.symbol = {SYMBOL_B} AND j.timeframe = {TIMEFRAME} AND j.time = i.time
  GROUP BY at),
sparse_returns AS MATERIALIZED (
  SELECT at, count(*) AS nr, sum(u) AS xr, sum(v) AS yr, sum(u * u) AS xxr, sum(v * v) AS yyr,
    sum(u * v) AS xyr
  FROM (SELECT at, ln(i.close / h.close) AS u, ln(j.close / k.close) AS v
    FROM points CROSS JOIN bars AS i ON i.symbol = {SYMBOL_A} AND i.timeframe = {TIMEFRAME}
      AND i.time BETWEEN at - (n - 2) * len AND at
    CROSS JOIN bars AS h ON h.symbol = {SYMBOL_A} AND h.timeframe = {TIMEFRAME}
      AND h.time = i.time - len
    CROSS JOIN bars AS j ON j.symbol = {SYMBOL_B} AND j.timeframe = {TIMEFRAME} AND j.time = i.time
    CROSS JOIN bars AS k ON k.symbol = {SYMBOL_B} AND k.timeframe = {TIMEFRAME}
      AND k.time = i.time - len)
  GROUP BY at)"""

_MOMENT_SUMS = [f"{name}{suffix}" for suffix in "wlr" for name in ("n", "x", "y", "xx", "yy", "xy")]
_SUMS = f"""sums AS (
  SELECT time, chunk, a, b, x, y, place, last_a, last_b, {", ".join(_MOMENT_SUMS)} FROM dense
  UNION ALL
  SELECT at, at / span, a, b, 0.0, 0.0, place, last_a, last_b, {", ".join(_MOMENT_SUMS)}
  FROM sparse_prices JOIN sparse_returns USING (at))"""
_ONLY_DENSE = "sums AS (SELECT * FROM dense)"


def _squares(name: str, a: str, b: str, suffix: str) -> str:
    """Sum of squared deviations (or of products); what is only rounding is 0."""
    raw = f"{a}{b}{suffix} - {a}{suffix} * {b}{suffix} / n{suffix}"
    if a != b:
        return f"{raw} AS {name}{suffix}"
    rounding = f"1e-13 * {a}{b}{suffix}"
    return f"CASE WHEN {raw} > {rounding} THEN {raw} ELSE 0.0 END AS {name}{suffix}"


def _moments() -> str:
    parts = [
        _squares(name, a, b, suffix)
        for suffix in ("w", "l", "r")
        for name, a, b in (("saa", "x", "x"), ("sbb", "y", "y"), ("sab", "x", "y"))
    ]
    return f"""moments AS MATERIALIZED (
  SELECT time, len, a, b, x, y, nw, nl, xw, yw, xl, yl, {", ".join(parts)},
    max(coalesce((time - last_a) / len, place), coalesce((time - last_b) / len, place)) > stale
      AS is_stale
  FROM sums CROSS JOIN args
  WHERE time / span = chunk AND time >= since AND nw = n
    AND (nl = m OR nl = (time - first) / len + 1))"""


_HEDGE = """hedge AS (
  SELECT *, CASE WHEN NOT is_stale AND sbbl > 0 THEN sabl / sbbl END AS beta FROM moments)"""

_SPREAD = """spreads AS MATERIALIZED (
  SELECT *, a - beta * b AS spread,
    x - xw / nw - beta * (y - yw / nw) AS excess,
    sqrt(max(saaw - 2 * beta * sabw + beta * beta * sbbw, 0) / (nw - 1)) AS std
  FROM hedge)"""

# A lake of before has no such column: the name then means the NULL beside the table.
_STORED_HEDGE_BARS = """(SELECT hedge_bars FROM pair_analytics AS stored
      WHERE (stored.pair, stored.timeframe, stored.window_bars, stored.lookback_bars, stored.time)
        = (pair_analytics.pair, pair_analytics.timeframe, pair_analytics.window_bars,
          pair_analytics.lookback_bars, pair_analytics.time))"""

_NUMBERS = f"""numbers AS MATERIALIZED (
  SELECT time, a AS price_a, b AS price_b, spread,
    CASE WHEN std > 1e-14 * max(a, abs(beta * b)) THEN excess / std END AS zscore,
    (a - x + xl / nl) - beta * (b - y + yl / nl) AS alpha, beta,
    spread - excess AS spread_mean,
    CASE WHEN std > 1e-14 * max(a, abs(beta * b)) THEN std ELSE std * 0 END AS spread_std,
    CASE WHEN NOT is_stale AND saaw > 0 AND sbbw > 0
      THEN max(-1.0, min(1.0, sabw / (sqrt(saaw) * sqrt(sbbw)))) END AS correlation,
    CASE WHEN NOT is_stale AND saar > 0 AND sbbr > 0
      THEN max(-1.0, min(1.0, sabr / (sqrt(saar) * sqrt(sbbr)))) END AS return_correlation,
    CASE WHEN nl > 2 THEN sqrt(max(saal - beta * sabl, 0) / (nl - 2) / sbbl) END AS beta_stderr,
    CASE WHEN NOT is_stale THEN nl END AS hedge_bars, is_stale, len
  FROM spreads
  UNION ALL
  SELECT time, price_a, price_b, spread, zscore, alpha, beta, spread_mean, spread_std,
    correlation, return_correlation, beta_stderr, {_STORED_HEDGE_BARS}, beta IS NULL, len
  FROM args CROSS JOIN (SELECT NULL AS hedge_bars) AS unknown
  CROSS JOIN pair_analytics ON kept AND {_KEPT} AND time BETWEEN since AND {TO})"""


def pair_sql(rows: Rows, select: str) -> str:
    """`WITH …` that ends in `select`, which reads the table `numbers`.

    `numbers` has a row a bar: time, price_a, price_b, spread, zscore, alpha, beta, spread_mean,
    spread_std, correlation, return_correlation, beta_stderr, hedge_bars, is_stale, len. Bars whose
    windows are not complete have no row.
    """
    since = _NEWEST if rows == "newest" else FROM
    sums = [_POINTS, _SPARSE, _SUMS] if rows == "sampled" else [_ONLY_DENSE]
    tables = [_args(since, rows), _CHUNKS, _CENTRED, _DENSE, *sums]
    tables += [_moments(), _HEDGE, _SPREAD, _NUMBERS]
    if rows == "sampled":
        tables.append(_SAMPLED)
    return f"WITH {', '.join(tables)}\n{select}"


# SQLite takes the other columns from the row that has the maximum: each row is one real bar.
_SAMPLED = """sampled AS MATERIALIZED (
  SELECT *, max(abs(zscore)) AS extreme FROM numbers
  GROUP BY time / max(len, $__interval_ms / 1000))"""
