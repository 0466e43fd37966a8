"""What the SQL of all dashboards is put together from: variables, and words for numbers.

What was typed is a number only where it is one in its range. Else WINDOW, LOOKBACK or THRESHOLD is
NULL, `ASKED` is false, and `WRONG` is the sentence that says so: a query then gives no rows.
"""

from spreadlake.times import MOST_BARS

SYMBOL_A = "${symbol_a:sqlstring}"
SYMBOL_B = "${symbol_b:sqlstring}"
TIMEFRAME = "${timeframe:sqlstring}"
PAIR = f"{SYMBOL_A} || '/' || {SYMBOL_B}"
MOST_THRESHOLD = 100
FROM = "$__from / 1000"
TO = "$__to / 1000"

NOW = "CAST(strftime('%s', 'now') AS REAL) + strftime('%f', 'now') % 1.0"
WATERMARK = "(SELECT value / 1000.0 FROM progress WHERE key = 'watermark_ms')"


# A bar's numbers are those of now until the bar after it is so late.
_LATE_SECONDS = 15
# A lake whose newest trade is so old is one of before, and not one that is late.
OLD_SECONDS = 900


def is_old(time: str, length: str) -> str:
    """Whether the bar at `time` is not the newest there should be by now."""
    return f"({NOW} - {time} - 2 * {length} > {_LATE_SECONDS})"


def moment(time: str) -> str:
    """Whole Unix seconds as text in UTC: of today without the date."""
    return f"""CASE WHEN {time} / 86400 = CAST(({NOW}) / 86400 AS INTEGER)
    THEN time({time}, 'unixepoch') ELSE datetime({time}, 'unixepoch') END"""


def as_of(time: str, length: str, before: str = " · ") -> str:
    """When the bar at `time` ended, as text; empty where that is now."""
    ended = moment(f"({time} + {length})")
    return f"CASE WHEN {is_old(time, length)} THEN '{before}as of ' || {ended} ELSE '' END"


def signed(z: str, old: str = "0") -> str:
    """A z-score as text; a triangle says that it is beyond the threshold, and on which side.

    What is `old` begins with a hollow sign, so that it is never coloured as an alarm of now.
    """
    return f"""CASE WHEN {z} IS NULL THEN NULL WHEN {old} THEN '○ ' ELSE '' END
    || CASE WHEN {z} >= {THRESHOLD} THEN '▲ ' WHEN {z} <= -{THRESHOLD} THEN '▼ ' ELSE '' END
    || replace(printf('%+.2f', {z}), '-', '−')"""


def significant(value: str, digits: int = 5) -> str:
    """A number as text with so many significant digits, thousands apart."""
    decimals = f"max(0, {digits - 1} - CAST(floor(log10(abs({value}))) AS INTEGER))"
    text = f"printf('%.*f', {decimals}, abs({value}))"
    return f"""CASE WHEN {value} = 0 THEN '0'
    WHEN abs({value}) NOT BETWEEN 1e-6 AND 1e15
      THEN replace(printf('%.{digits - 1}e', {value}), '-', '−')
    WHEN {value} IS NOT NULL THEN CASE WHEN {value} < 0 THEN '−' ELSE '' END
      || printf('%,d', CAST({text} AS INTEGER)) || substr({text}, instr({text} || '.', '.')) END"""


def rounded(value: str, digits: int = 5) -> str:
    """A number of so many significant digits: a cell of unit `string` shows all of them."""
    return f"""CASE WHEN abs({value}) >= 1e{digits} THEN CAST(round({value}) AS REAL)
    WHEN {value} IS NOT NULL THEN CAST(printf('%.{digits}g', {value}) AS REAL) END"""


def probability(value: str) -> str:
    """A p-value or q-value as text."""
    return f"""CASE WHEN {value} < 0.001 THEN '< 0.001'
    WHEN {value} IS NOT NULL THEN printf('%.3f', {value}) END"""


def duration(seconds: str) -> str:
    """A time span as text in one unit, so that the number does not jump between units."""
    return f"""CASE WHEN {seconds} < 100 THEN printf('%.1f s', max({seconds}, 0))
    WHEN {seconds} < 7200 THEN CAST({seconds} / 60 AS INTEGER) || ' min'
    WHEN {seconds} < 172800 THEN CAST({seconds} / 3600 AS INTEGER) || ' h'
    WHEN {seconds} IS NOT NULL THEN CAST({seconds} / 86400 AS INTEGER) || ' days' END"""


def _typed(variable: str) -> str:
    return f"trim(${{{variable}:sqlstring}})"


def bars_of(variable: str) -> str:
    """A typed number of bars as a constant; NULL where it is no whole number in the range."""
    text = _typed(variable)
    return f"""CASE WHEN {text} NOT GLOB '*[^0-9]*' AND length({text}) BETWEEN 1 AND 9
    AND CAST({text} AS INTEGER) BETWEEN 2 AND {MOST_BARS} THEN CAST({text} AS INTEGER) END"""


def decimal_of(variable: str) -> str:
    """A typed decimal number of 0 or more as a constant; NULL where it is none."""
    text = _typed(variable)
    return f"""CASE WHEN {text} NOT GLOB '*[^0-9.]*' AND {text} NOT GLOB '*.*.*'
    AND {text} GLOB '*[0-9]*' AND length({text}) <= 20 THEN CAST({text} AS REAL) END"""


def refused(value: str, variable: str, label: str, allowed: str) -> str:
    """The sentence about what was typed, where the `value` of it is NULL; else nothing."""
    text = f"substr(${{{variable}:sqlstring}}, 1, 40)"
    said = f"'{label} “' || {text} || '” is not {allowed}; '"
    return f"CASE WHEN {value} IS NULL THEN {said} ELSE '' END"


def seconds_of(timeframe: str) -> str:
    """Length in seconds of a timeframe such as '5m'."""
    unit = f"CASE substr({timeframe}, -1) WHEN 's' THEN 1 WHEN 'm' THEN 60 ELSE 3600 END"
    return f"CAST({timeframe} AS INTEGER) * {unit}"


WINDOW = bars_of("window")
LOOKBACK = bars_of("lookback")
_LEVEL = decimal_of("threshold")
THRESHOLD = f"CASE WHEN {_LEVEL} > 0 AND {_LEVEL} <= {MOST_THRESHOLD} THEN {_LEVEL} END"

# Whether all that was typed can be, and what is said where it cannot; else that is NULL.
ASKED = f"({WINDOW} + {LOOKBACK} + {THRESHOLD}) IS NOT NULL"
_BARS = f"a whole number of bars from 2 to {MOST_BARS:,}"
_ABOVE_0 = f"a number above 0, up to {MOST_THRESHOLD}"
WRONG = f"""nullif({refused(WINDOW, "window", "z window", _BARS)}
    || {refused(LOOKBACK, "lookback", "lookback", _BARS)}
    || {refused(THRESHOLD, "threshold", "threshold", _ABOVE_0)}
    || CASE WHEN {ASKED} THEN '' ELSE 'choose another above' END, '')"""

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
