"""The tables of the databases, and the steps from one version of them to the next.

`PRAGMA user_version` holds the version. Step N of a list takes a database from version N to
N + 1, in one transaction with the new version. That of a new statistic is `columns_added(N + 1)`
of `spreadlake.statistics`.
"""

_BAR_COLUMNS = """
  symbol TEXT NOT NULL, timeframe TEXT NOT NULL, time INTEGER NOT NULL, open REAL NOT NULL,
  high REAL NOT NULL, low REAL NOT NULL, close REAL NOT NULL, volume REAL NOT NULL,
  quote_volume REAL NOT NULL, taker_buy_volume REAL NOT NULL, trades INTEGER NOT NULL,
"""

_SERIES_COLUMNS = """
  pair TEXT NOT NULL, timeframe TEXT NOT NULL, window_bars INTEGER NOT NULL,
  lookback_bars INTEGER NOT NULL,
"""

_ANALYTICS_1 = f"""
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE bars({_BAR_COLUMNS} PRIMARY KEY(symbol, timeframe, time)) WITHOUT ROWID;
CREATE TABLE first_bars(
  symbol TEXT NOT NULL, timeframe TEXT NOT NULL, time INTEGER NOT NULL,
  PRIMARY KEY(timeframe, symbol)) WITHOUT ROWID;
CREATE TABLE pair_analytics({_SERIES_COLUMNS}
  time INTEGER NOT NULL, symbol_a TEXT NOT NULL, symbol_b TEXT NOT NULL,
  price_a REAL NOT NULL, price_b REAL NOT NULL, alpha REAL, beta REAL, spread REAL,
  spread_mean REAL, spread_std REAL, zscore REAL, correlation REAL, return_correlation REAL,
  beta_stderr REAL, r_squared REAL, kalman_beta REAL, volatility_a REAL, volatility_b REAL,
  volume_a REAL, volume_b REAL,
  PRIMARY KEY(pair, timeframe, window_bars, lookback_bars, time)) WITHOUT ROWID;
CREATE TABLE pair_status({_SERIES_COLUMNS}
  state TEXT NOT NULL CHECK(state IN ('warming', 'ready', 'stale', 'flat')),
  bars_have INTEGER NOT NULL, bars_need INTEGER NOT NULL, message TEXT NOT NULL,
  PRIMARY KEY(pair, timeframe, window_bars, lookback_bars)) WITHOUT ROWID;
CREATE TABLE pair_tests(
  pair TEXT NOT NULL, timeframe TEXT NOT NULL, lookback_bars INTEGER NOT NULL,
  time INTEGER NOT NULL, robust_beta REAL, half_life REAL, adf_statistic REAL, adf_pvalue REAL,
  cointegration_pvalue REAL, observations INTEGER NOT NULL,
  PRIMARY KEY(pair, timeframe, lookback_bars, time)) WITHOUT ROWID;
CREATE TABLE tests_due(
  timeframe TEXT NOT NULL, time INTEGER NOT NULL, pair TEXT NOT NULL,
  lookback_bars INTEGER NOT NULL,
  PRIMARY KEY(time, timeframe, pair, lookback_bars)) WITHOUT ROWID;
CREATE TABLE alert_events(
  id INTEGER PRIMARY KEY, rule TEXT NOT NULL, {_SERIES_COLUMNS}
  threshold REAL NOT NULL, opened_at INTEGER NOT NULL, opened_zscore REAL NOT NULL,
  peak_zscore REAL NOT NULL, closed_at INTEGER, closed_zscore REAL,
  UNIQUE(rule, pair, timeframe, window_bars, lookback_bars, opened_at));
CREATE INDEX alert_events_open ON alert_events(rule) WHERE closed_at IS NULL;
CREATE INDEX alert_events_by_time ON alert_events(opened_at);
CREATE TABLE alert_counts(rule TEXT NOT NULL, {_SERIES_COLUMNS} opened INTEGER NOT NULL,
  PRIMARY KEY(rule, pair, timeframe, window_bars, lookback_bars)) WITHOUT ROWID;
CREATE TABLE alert_rules(rule TEXT NOT NULL, {_SERIES_COLUMNS} threshold REAL NOT NULL,
  definition TEXT NOT NULL,
  PRIMARY KEY(rule, pair, timeframe, window_bars, lookback_bars)) WITHOUT ROWID;
CREATE TABLE series({_SERIES_COLUMNS} definition TEXT NOT NULL,
  PRIMARY KEY(pair, timeframe, window_bars, lookback_bars)) WITHOUT ROWID;
CREATE TABLE progress(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE counters(
  name TEXT NOT NULL, symbol TEXT NOT NULL DEFAULT '', value REAL NOT NULL,
  PRIMARY KEY(name, symbol)) WITHOUT ROWID;
CREATE TABLE service_status(
  key TEXT PRIMARY KEY, value TEXT NOT NULL, updated_ms INTEGER NOT NULL) WITHOUT ROWID;
"""

_NOTIFY_1 = """
CREATE TABLE news(
  event_id INTEGER NOT NULL, what TEXT NOT NULL CHECK(what IN ('opened', 'closed')),
  target TEXT NOT NULL, state TEXT NOT NULL CHECK(state IN ('waiting', 'told')),
  seen_ms INTEGER NOT NULL, told_ms INTEGER, over INTEGER NOT NULL,
  PRIMARY KEY(event_id, what, target)) WITHOUT ROWID;
CREATE INDEX news_waiting ON news(target, seen_ms) WHERE state = 'waiting';
CREATE INDEX news_open ON news(event_id) WHERE NOT over;
CREATE TABLE counters(
  name TEXT NOT NULL, symbol TEXT NOT NULL DEFAULT '', value REAL NOT NULL,
  PRIMARY KEY(name, symbol)) WITHOUT ROWID;
CREATE TABLE service_status(
  key TEXT PRIMARY KEY, value TEXT NOT NULL, updated_ms INTEGER NOT NULL) WITHOUT ROWID;
"""

# Where and when each event was that may have been told: it may be found again under another id.
# `gone_ms` is since when it is not there.
_NOTIFY_OPENINGS = """
CREATE TABLE openings(
  event_id INTEGER PRIMARY KEY, rule TEXT NOT NULL, pair TEXT NOT NULL, timeframe TEXT NOT NULL,
  window_bars INTEGER NOT NULL, opened_at INTEGER NOT NULL, closed_at INTEGER, gone_ms INTEGER);
"""

# What is said of an event whose rule was taken away while it was open.
_NOTIFY_WITHDRAWN = """
ALTER TABLE openings ADD COLUMN lookback_bars INTEGER;
ALTER TABLE openings ADD COLUMN threshold REAL;
ALTER TABLE openings ADD COLUMN opened_zscore REAL;
ALTER TABLE openings ADD COLUMN peak_zscore REAL;
ALTER TABLE openings ADD COLUMN withdrawn_ms INTEGER;
"""

# What a break is, where each symbol joined again after one, and what of history is still to do:
# hours of trades that were not taken in, rows whose bars changed.
_ANALYTICS_BREAKS = """
CREATE TABLE breaks("start" INTEGER PRIMARY KEY, "end" INTEGER NOT NULL);
CREATE TABLE joins(
  symbol TEXT NOT NULL, time INTEGER NOT NULL, PRIMARY KEY(symbol, time)) WITHOUT ROWID;
INSERT INTO joins SELECT symbol, time FROM first_bars WHERE timeframe = '1s';
CREATE TABLE hours_due(
  hour_ms INTEGER NOT NULL, symbol TEXT NOT NULL, from_ms INTEGER NOT NULL,
  PRIMARY KEY(hour_ms, symbol)) WITHOUT ROWID;
CREATE TABLE rows_due(
  timeframe TEXT NOT NULL, name TEXT NOT NULL, window_bars INTEGER NOT NULL,
  lookback_bars INTEGER NOT NULL, "start" INTEGER NOT NULL, "end" INTEGER NOT NULL,
  PRIMARY KEY(timeframe, name, window_bars, lookback_bars, "start")) WITHOUT ROWID;
"""

# Over how many bars the hedge ratio is; NULL in rows of before until they are computed again.
_ANALYTICS_HEDGE_BARS = """
ALTER TABLE pair_analytics ADD COLUMN hedge_bars INTEGER;
ALTER TABLE pair_status ADD COLUMN hedge_bars INTEGER;
"""

# Where breaks end, where lakes of every version have a table: SQL that names one that is missing
# does not run, and that of the dashboards is one for lakes of any age.
_ANALYTICS_BREAK_ENDS = """
INSERT INTO progress SELECT printf('break:%012d', "end"), "start" FROM breaks;
CREATE TRIGGER break_found AFTER INSERT ON breaks BEGIN
  INSERT OR REPLACE INTO progress VALUES (printf('break:%012d', new."end"), new."start");
END;
CREATE TRIGGER break_gone AFTER DELETE ON breaks BEGIN
  DELETE FROM progress WHERE key = printf('break:%012d', old."end");
END;
"""

# Of which time klines of a symbol are in its bars: [start, end), holes shorter than a break in it.
_ANALYTICS_KLINE_RUNS = """
CREATE TABLE kline_runs(
  symbol TEXT NOT NULL, "start" INTEGER NOT NULL, "end" INTEGER NOT NULL,
  PRIMARY KEY(symbol, "start")) WITHOUT ROWID;
"""

# Screens: how many pairs each found, its first rows, for an hour all that passed (a JSON list of
# pairs, by name), of which `persistence` is made; and of the newest how the symbols that traded
# most correlate, `place` by `place`.
_SCREEN_KEY = """
  time INTEGER NOT NULL, timeframe TEXT NOT NULL, lookback_bars INTEGER NOT NULL,
  window_bars INTEGER NOT NULL,"""
_ANALYTICS_SCREENS = f"""
CREATE TABLE screens({_SCREEN_KEY}
  symbols INTEGER NOT NULL, pairs INTEGER NOT NULL, cointegrated INTEGER NOT NULL,
  seconds REAL NOT NULL,
  PRIMARY KEY(timeframe, lookback_bars, window_bars, time)) WITHOUT ROWID;
CREATE TABLE screen_pairs({_SCREEN_KEY}
  rank INTEGER NOT NULL, symbol_a TEXT NOT NULL, symbol_b TEXT NOT NULL, coint_t REAL,
  coint_lag INTEGER, coint_pvalue REAL, qvalue REAL, beta REAL, alpha REAL, r_squared REAL,
  return_correlation REAL, half_life REAL, crossings INTEGER, spread REAL, zscore REAL,
  spread_std_bps REAL, cost_bps REAL, edge_bps REAL, volume_a REAL, volume_b REAL,
  persistence REAL,
  PRIMARY KEY(timeframe, lookback_bars, window_bars, time, rank)) WITHOUT ROWID;
CREATE TABLE screen_passed({_SCREEN_KEY} pairs TEXT NOT NULL,
  PRIMARY KEY(timeframe, lookback_bars, window_bars, time)) WITHOUT ROWID;
CREATE TABLE screen_correlations({_SCREEN_KEY}
  place INTEGER NOT NULL, symbol_a TEXT NOT NULL, symbol_b TEXT NOT NULL, return_correlation REAL,
  PRIMARY KEY(timeframe, lookback_bars, window_bars, time, place, symbol_b)) WITHOUT ROWID;
"""

# Rules on the live screen: what of the newest screen has met each, and found no place among those
# that may be open; and what else the screen said of a pair whose event it opened. `seen_at` is the
# newest screen with a z-score of it.
_ANALYTICS_SCREEN_ALERTS = """
CREATE TABLE screen_rules(
  rule TEXT PRIMARY KEY, timeframe TEXT NOT NULL, lookback_bars INTEGER NOT NULL,
  window_bars INTEGER NOT NULL, definition TEXT NOT NULL, opened INTEGER NOT NULL,
  left_out INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE screen_alerts(
  event_id INTEGER PRIMARY KEY, qvalue REAL NOT NULL, edge_bps REAL NOT NULL, half_life REAL,
  persistence REAL, seen_at INTEGER NOT NULL);
"""

# The pairs that are followed, and who asked for each; of the live screen's choice also those that
# are on their way there. Those of before were asked for by the configuration, nobody knows when.
_ANALYTICS_FOLLOWED_PAIRS = """
CREATE TABLE followed_pairs(
  pair TEXT PRIMARY KEY,
  source TEXT NOT NULL CHECK(source IN ('configuration', 'hand', 'screen')),
  since INTEGER, why TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO followed_pairs SELECT DISTINCT pair, 'configuration', NULL, '' FROM series;
CREATE TABLE screen_choices(
  pair TEXT PRIMARY KEY, since INTEGER, times_in INTEGER NOT NULL, times_out INTEGER NOT NULL,
  place INTEGER NOT NULL, why TEXT NOT NULL) WITHOUT ROWID;
"""

# Seconds from which a symbol has no bars any more, until it joins again: it left those that are
# captured, or ended, and had no trade for as long as a break is.
_ANALYTICS_STOPS = """
CREATE TABLE stops(
  symbol TEXT NOT NULL, time INTEGER NOT NULL, PRIMARY KEY(symbol, time)) WITHOUT ROWID;
"""

# What rows are computed on: 'log' closes; NULL, as in rows of before, is raw ones.
_ANALYTICS_PRICES = """
ALTER TABLE pair_analytics ADD COLUMN prices TEXT;
ALTER TABLE pair_tests ADD COLUMN prices TEXT;
"""

# The events of one pair, of whatever rule, the newest first.
_ANALYTICS_ALERTS_BY_PAIR = """
CREATE INDEX alert_events_by_pair ON alert_events(pair, opened_at);
"""

# Of every 60 bars of a series one row, of `spreadlake.quant.rollups`: for charts of long ranges.
# Under `rollups:TIMEFRAME` in `progress`: before when (s) an older lake has rows without one.
_ANALYTICS_ROLLUPS = f"""
CREATE TABLE pair_rollups({_SERIES_COLUMNS}
  time INTEGER NOT NULL, bars INTEGER NOT NULL, zscores INTEGER NOT NULL,
  zscore_min REAL, zscore_max REAL, zscore_last REAL,
  spread_min REAL, spread_max REAL, spread_last REAL,
  deviation_min REAL, deviation_max REAL, deviation_last REAL, spread_std_last REAL,
  beta_min REAL, beta_max REAL, beta_last REAL, beta_stderr_last REAL, kalman_beta_last REAL,
  hedge_bars_last INTEGER,
  correlation_min REAL, correlation_max REAL, correlation_last REAL,
  return_correlation_min REAL, return_correlation_max REAL, return_correlation_last REAL,
  beyond_1 INTEGER NOT NULL, beyond_1_5 INTEGER NOT NULL, beyond_2 INTEGER NOT NULL,
  beyond_2_5 INTEGER NOT NULL, beyond_3 INTEGER NOT NULL, beyond_4 INTEGER NOT NULL,
  prices TEXT,
  PRIMARY KEY(pair, timeframe, window_bars, lookback_bars, time)) WITHOUT ROWID;
INSERT INTO progress SELECT 'rollups:' || timeframe, value
  FROM (SELECT DISTINCT timeframe FROM first_bars), progress WHERE key = 'final_time';
"""

# Events by when they ended: those that ended lately, and those that are old enough to go.
_ANALYTICS_ALERTS_BY_END = """
CREATE INDEX alert_events_by_end ON alert_events(closed_at);
"""

ANALYTICS_STEPS = [
    _ANALYTICS_1,
    _ANALYTICS_BREAKS,
    _ANALYTICS_HEDGE_BARS,
    _ANALYTICS_BREAK_ENDS,
    _ANALYTICS_KLINE_RUNS,
    _ANALYTICS_SCREENS,
    _ANALYTICS_SCREEN_ALERTS,
    _ANALYTICS_FOLLOWED_PAIRS,
    _ANALYTICS_STOPS,
    _ANALYTICS_PRICES,
    _ANALYTICS_ALERTS_BY_PAIR,
    _ANALYTICS_ROLLUPS,
    _ANALYTICS_ALERTS_BY_END,
]
NOTIFY_STEPS = [_NOTIFY_1, _NOTIFY_OPENINGS, _NOTIFY_WITHDRAWN]
