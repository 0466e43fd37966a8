"""Reads the latest analytics; the cost depends on the number of series, not on history."""

import sqlite3
from collections.abc import Sequence

from spreadlake.status.model import AlertReport, PairReport

# The inner max(time) is one seek at the end of the series' key range. In a lake of before, whose
# tables have no hedge_bars, the name means the NULL beside them.
_LATEST = """
SELECT s.pair, s.timeframe, s.window_bars, s.lookback_bars, s.state, s.bars_have, s.bars_need,
  s.message, a.time, a.price_a, a.price_b, a.beta, a.spread, a.spread_std,
  CASE s.state WHEN 'ready' THEN a.zscore END, a.correlation, a.return_correlation,
  (SELECT hedge_bars FROM pair_status AS h
    WHERE (h.pair, h.timeframe, h.window_bars, h.lookback_bars)
      = (s.pair, s.timeframe, s.window_bars, s.lookback_bars))
FROM (SELECT NULL AS hedge_bars) AS unknown CROSS JOIN pair_status AS s
LEFT JOIN pair_analytics AS a
  ON a.pair = s.pair AND a.timeframe = s.timeframe
  AND a.window_bars = s.window_bars AND a.lookback_bars = s.lookback_bars
  AND a.time = (
    SELECT max(time) FROM pair_analytics AS newest
    WHERE newest.pair = s.pair AND newest.timeframe = s.timeframe
      AND newest.window_bars = s.window_bars AND newest.lookback_bars = s.lookback_bars)
{only}
ORDER BY s.pair, s.timeframe, s.window_bars, s.lookback_bars
"""

_OPEN_ALERTS = """
SELECT rule, pair, timeframe, window_bars, lookback_bars, threshold, opened_at, opened_zscore,
  peak_zscore
FROM alert_events WHERE closed_at IS NULL ORDER BY opened_at, rule, pair
"""


_ONLY = "WHERE (s.timeframe, s.window_bars, s.lookback_bars) IN (VALUES {keys})"

# Series of every pair that somebody looks at: timeframe, window and lookback of each.
Looked = Sequence[tuple[str, int, int]]


def read_latest_pairs(db: sqlite3.Connection, looked: Looked = ()) -> list[PairReport]:
    """Every configured series with its state and latest row; of each pair only those `looked` at.

    Without any all are read.
    """
    only = _ONLY.format(keys=", ".join(["(?, ?, ?)"] * len(looked))) if looked else ""
    values = [value for key in looked for value in key]
    return [PairReport(*row) for row in db.execute(_LATEST.format(only=only), values)]


def read_open_alerts(db: sqlite3.Connection) -> list[AlertReport]:
    """The alert events that are open, oldest first."""
    return [AlertReport(*row) for row in db.execute(_OPEN_ALERTS)]


def read_progress(db: sqlite3.Connection) -> dict[str, int]:
    """How far the analytics job has come.

    `read_seq` is the last trade read, `seq` the one a restart goes on from; `watermark_ms`,
    `final_time`.
    """
    return dict(db.execute("SELECT key, value FROM progress").fetchall())
