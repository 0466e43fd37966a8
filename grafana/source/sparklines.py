"""Pictures of the last z-scores in a table's cell, with lines at zero and at the threshold.

A cell of Grafana's own has no such lines, so the SQL draws the picture itself, as SVG.
"""

from grafana.source.overview_latest import LATEST, SECONDS
from grafana.source.sql import LOOKBACK, THRESHOLD, TIMEFRAME, WINDOW
from grafana.source.style import ALARM, OLD, QUIET

BARS = 900
_STEPS = 90
_WIDTH, _HEIGHT = 450, 28
_STEP = f"max({SECONDS}, {BARS} * {SECONDS} / {_STEPS})"

# The last bars of each pair up to the newest that is shown; each point is the greatest |z| of its
# step, and begins a new line where steps are missing before it.
_POINTS = f"""SELECT p.pair, p.at, a.time, a.zscore AS z, max(abs(a.zscore)) AS size,
    {_WIDTH} - (p.time - a.time) * {_WIDTH}.0 / ({BARS} * {SECONDS}) AS x
  FROM latest AS p CROSS JOIN pair_analytics AS a
    ON a.pair = p.pair AND a.timeframe = {TIMEFRAME} AND a.window_bars = {WINDOW}
    AND a.lookback_bars = {LOOKBACK}
    AND a.time BETWEEN p.time - {BARS} * {SECONDS} AND p.time
  GROUP BY a.pair, a.time / {_STEP}"""
_LINES = f"""SELECT pair, max(size) AS most, group_concat(
    CASE WHEN broken THEN 'M' ELSE 'L' END || printf('%.0f %.2f', x, 0 - z), '') AS line
  FROM (SELECT *, coalesce(time / {_STEP} - lag(time) OVER o / {_STEP} > 1, 1) AS broken
    FROM points WHERE z IS NOT NULL WINDOW o AS (PARTITION BY pair ORDER BY time))
  GROUP BY pair"""


def _encoded(color: str) -> str:
    return color.replace("#", "%23")


def _path(style: str, *parts: str) -> str:
    """A path as SQL; the parts of what it draws are SQL too."""
    return f"""'<path {style} d="' || {" || ".join(parts)} || '"/>'"""


def _level(y: str, style: str) -> str:
    return _path(f'stroke="{_encoded(QUIET)}" {_THIN} {style}', "'M0 '", y, f"'H{_WIDTH}'")


_BEYOND = _path(
    "", f"'M0-99H{_WIDTH}V'", f"(0 - {THRESHOLD})", f"'H0zM0 99H{_WIDTH}V'", THRESHOLD, "'H0z'"
)
# Thin whatever the scale.
_THIN = 'vector-effect="non-scaling-stroke"'
_COLOUR = f"' || CASE at WHEN '' THEN '{_encoded(ALARM)}' ELSE '{_encoded(OLD)}' END || '"
PICTURE = " || ".join(
    (
        f"""'data:image/svg+xml;utf8,<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" """
        f"""height="{_HEIGHT}" viewBox="0 -1.05 {_WIDTH} 2.1" preserveAspectRatio="none">"""
        "<g transform=\"scale(1,'",
        f"printf('%.4f', 1 / max(coalesce(most, 0), 1.3 * {THRESHOLD}))",
        "')\">'",
        _level("0", 'stroke-opacity="0.6"'),
        _level(THRESHOLD, 'stroke-dasharray="4 4"'),
        _level(f"(0 - {THRESHOLD})", 'stroke-dasharray="4 4"'),
        "'<defs><clipPath id=\"c\">'",
        _BEYOND,
        "'</clipPath>'",
        _path(f'id="z" fill="none" {_THIN}', "coalesce(line, '')"),
        f"""'</defs><use href="%23z" stroke="{_encoded(QUIET)}"/><use href="%23z" """
        f"""clip-path="url(%23c)" stroke-width="1.6" stroke="{_COLOUR}"/>'""",
        "'</g></svg>'",
    )
)

# Tables `latest`, a row a pair, and `lines`; `PICTURE` is of a row of both.
TABLES = f"""latest AS MATERIALIZED ({LATEST}),
points AS MATERIALIZED ({_POINTS}),
lines AS MATERIALIZED ({_LINES})"""
