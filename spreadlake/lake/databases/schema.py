"""The tables of the databases, and the steps from one version of them to the next.

`PRAGMA user_version` holds the version. Step N of a list takes a database from version N to
N + 1, in one transaction with the new version. That of a new statistic is `columns_added(N + 1)`
of `spreadlake.statistics`.
"""

# `seq` is given by the collector and never used twice, not even after old rows were rolled away:
# the analytics job finds what is new by it.
_TICKS_1 = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE ticks(
  seq INTEGER PRIMARY KEY, symbol TEXT NOT NULL, trade_id INTEGER NOT NULL,
  time_ms INTEGER NOT NULL, price REAL NOT NULL, qty REAL NOT NULL,
  buyer_is_maker INTEGER NOT NULL, UNIQUE(symbol, trade_id));
CREATE INDEX ticks_by_time ON ticks(time_ms);
CREATE TABLE symbols(
  symbol TEXT PRIMARY KEY, first_id INTEGER NOT NULL, last_id INTEGER NOT NULL,
  last_time_ms INTEGER NOT NULL, last_price REAL NOT NULL, ticks INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE gaps(
  id INTEGER PRIMARY KEY, symbol TEXT NOT NULL, first_id INTEGER NOT NULL,
  last_id INTEGER NOT NULL, found_ms INTEGER NOT NULL, cause TEXT NOT NULL,
  state TEXT NOT NULL CHECK(state IN ('open', 'repaired', 'lost')),
  closed_ms INTEGER, message TEXT NOT NULL DEFAULT '');
CREATE INDEX gaps_open ON gaps(symbol, first_id) WHERE state = 'open';
CREATE INDEX gaps_lost ON gaps(symbol) WHERE state = 'lost';
CREATE TABLE rolls(
  symbol TEXT NOT NULL, hour_ms INTEGER NOT NULL, rows INTEGER NOT NULL,
  max_seq INTEGER NOT NULL, rolled_ms INTEGER NOT NULL,
  PRIMARY KEY(symbol, hour_ms)) WITHOUT ROWID;
CREATE INDEX rolls_by_seq ON rolls(max_seq);
CREATE TABLE klines(
  symbol TEXT NOT NULL, timeframe TEXT NOT NULL, time INTEGER NOT NULL, open REAL NOT NULL,
  high REAL NOT NULL, low REAL NOT NULL, close REAL NOT NULL, volume REAL NOT NULL,
  quote_volume REAL NOT NULL, taker_buy_volume REAL NOT NULL, trades INTEGER NOT NULL,
  PRIMARY KEY(symbol, timeframe, time)) WITHOUT ROWID;
CREATE TABLE counters(
  name TEXT NOT NULL, symbol TEXT NOT NULL DEFAULT '', value REAL NOT NULL,
  PRIMARY KEY(name, symbol)) WITHOUT ROWID;
CREATE TABLE service_status(
  key TEXT PRIMARY KEY, value TEXT NOT NULL, updated_ms INTEGER NOT NULL) WITHOUT ROWID;
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

# Ids that stand for no trade (in a dump: a quantity of 0): they are held, and are no gap.
_TICKS_EMPTY_IDS = """
CREATE TABLE empty_ids(
  symbol TEXT NOT NULL, first_id INTEGER NOT NULL, last_id INTEGER NOT NULL,
  PRIMARY KEY(symbol, first_id)) WITHOUT ROWID;
"""

# Every symbol that the collector knows of, who is captured, and why; `place` orders those captured.
_TICKS_UNIVERSE = """
CREATE TABLE universe(
  symbol TEXT PRIMARY KEY, place INTEGER, reason TEXT NOT NULL, status TEXT NOT NULL,
  contract TEXT NOT NULL, quote TEXT NOT NULL, quote_volume REAL, rank INTEGER,
  listed_ms INTEGER, delivery_ms INTEGER, since_ms INTEGER) WITHOUT ROWID;
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

# What else the exchange says of an aggregate trade, and when it came; NULL in rows of before.
_TICKS_DETAILS = """
ALTER TABLE ticks ADD COLUMN first_trade_id INTEGER;
ALTER TABLE ticks ADD COLUMN last_trade_id INTEGER;
ALTER TABLE ticks ADD COLUMN qty_ex_rpi REAL;
ALTER TABLE ticks ADD COLUMN received_ms INTEGER;
"""

# What of `klines` came when, so that who makes bars of them reads what is new and no more.
_TICKS_KLINE_CHANGES = """
CREATE TABLE kline_changes(
  seq INTEGER PRIMARY KEY, symbol TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL);
INSERT INTO kline_changes(symbol, first, last)
  SELECT symbol, min(time), max(time) FROM klines WHERE timeframe = '1m'
  GROUP BY symbol ORDER BY symbol;
"""

# Of which time klines of a symbol are in its bars: [start, end), holes shorter than a break in it.
_ANALYTICS_KLINE_RUNS = """
CREATE TABLE kline_runs(
  symbol TEXT NOT NULL, "start" INTEGER NOT NULL, "end" INTEGER NOT NULL,
  PRIMARY KEY(symbol, "start")) WITHOUT ROWID;
"""

# Funding rates; and of which time, [first_ms, until_ms), all of those of a symbol are held.
_TICKS_FUNDING = """
CREATE TABLE funding(
  symbol TEXT NOT NULL, time_ms INTEGER NOT NULL, rate REAL NOT NULL, mark_price REAL,
  PRIMARY KEY(symbol, time_ms)) WITHOUT ROWID;
CREATE TABLE funding_spans(
  symbol TEXT PRIMARY KEY, first_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL) WITHOUT ROWID;
"""

# How many rows of a rolled hour the file of its whole day holds; days whose hours may be left
# beside that file; and what was removed to make room, whose sequence numbers are not given again.
_TICKS_DAYS = """
ALTER TABLE rolls ADD COLUMN day_rows INTEGER NOT NULL DEFAULT 0;
CREATE INDEX rolls_to_compact ON rolls(hour_ms, symbol) WHERE rows > day_rows;
CREATE TABLE compacting(
  symbol TEXT NOT NULL, day_ms INTEGER NOT NULL, PRIMARY KEY(symbol, day_ms)) WITHOUT ROWID;
CREATE TABLE removed(
  symbol TEXT NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, rows INTEGER NOT NULL,
  max_seq INTEGER NOT NULL, removed_ms INTEGER NOT NULL,
  PRIMARY KEY(symbol, start_ms)) WITHOUT ROWID;
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

# Whether trades of a symbol are to be expected at any time: not while it is halted, after its end,
# and outside the hours of its market; NULL where the exchange was not asked since.
_TICKS_TRADING = """
ALTER TABLE universe ADD COLUMN trading INTEGER;
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

# Columns of tables there were before, and their value in rows of before: readers ask for them also
# where no writer has brought the database up to date.
TICKS_LATER = {
    "ticks": dict.fromkeys(
        ("first_trade_id", "last_trade_id", "qty_ex_rpi", "received_ms"), "NULL"
    ),
    "rolls": {"day_rows": "0"},
    "universe": {"trading": "NULL"},
}

TICKS_STEPS = [
    _TICKS_1,
    _TICKS_EMPTY_IDS,
    _TICKS_UNIVERSE,
    _TICKS_DETAILS,
    _TICKS_KLINE_CHANGES,
    _TICKS_FUNDING,
    _TICKS_DAYS,
    _TICKS_TRADING,
]
ANALYTICS_STEPS = [
    _ANALYTICS_1,
    _ANALYTICS_BREAKS,
    _ANALYTICS_HEDGE_BARS,
    _ANALYTICS_BREAK_ENDS,
    _ANALYTICS_KLINE_RUNS,
    _ANALYTICS_SCREENS,
    _ANALYTICS_SCREEN_ALERTS,
    _ANALYTICS_FOLLOWED_PAIRS,
]
NOTIFY_STEPS = [_NOTIFY_1]
