"""What the SQL of all dashboards is put together from: variables, and words for numbers."""

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

# What the lake's pair analytics are computed on, and what is asked for, which is that by default.
KEPT_PRICES = "coalesce((SELECT value FROM meta WHERE key = 'prices'), 'raw')"
PRICES = f"""CASE ${{prices:sqlstring}} WHEN 'raw' THEN 'raw' WHEN 'log' THEN 'log'
      ELSE {KEPT_PRICES} END"""


def break_ends(since: str, until: str) -> str:
    """SELECT of `time`: the bars in [since, until] in which a break ends; needs `len`, FROM args.

    They are read from where lakes of any version have a table for them: of one that its job has
    not opened since there were breaks, the SQL would otherwise not even be prepared.
    """
    return f"""SELECT CAST(substr(key, 7) AS INTEGER) / len * len AS time
  FROM args CROSS JOIN progress
  ON key >= printf('break:%012d', {since}) AND key < printf('break:%012d', {until} + len)"""
