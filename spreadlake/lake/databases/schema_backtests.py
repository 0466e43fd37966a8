"""The tables of `backtests.db`, and the steps from one version of it to the next."""

_BACKTESTS_1 = """
CREATE TABLE backtests(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, kept_at INTEGER NOT NULL,
  pair TEXT NOT NULL, timeframe TEXT NOT NULL, window_bars INTEGER,
  lookback_bars INTEGER, prices TEXT, length INTEGER NOT NULL,
  first_time INTEGER, last_time INTEGER, entry REAL, exit REAL, stop REAL,
  settings TEXT NOT NULL, notes TEXT NOT NULL, trades INTEGER NOT NULL,
  gross REAL, fees REAL, funding REAL, net REAL, net_on_notional REAL, hit_rate REAL,
  profit_factor REAL, mean_bars_held REAL, longest_bars_held INTEGER, time_in_market REAL,
  max_drawdown REAL, sharpe REAL, turnover REAL, break_even_bps REAL);
CREATE TABLE backtest_trades(
  backtest_id INTEGER NOT NULL, trade INTEGER NOT NULL, pair TEXT NOT NULL, side TEXT NOT NULL,
  signal_time INTEGER NOT NULL, entry_time INTEGER NOT NULL, exit_signal_time INTEGER NOT NULL,
  exit_time INTEGER NOT NULL, quantity_a REAL NOT NULL, quantity_b REAL NOT NULL,
  entry_price_a REAL NOT NULL, entry_price_b REAL NOT NULL, exit_price_a REAL NOT NULL,
  exit_price_b REAL NOT NULL, beta REAL NOT NULL, entry_zscore REAL, exit_zscore REAL,
  bars_held INTEGER NOT NULL, gross REAL NOT NULL, fees REAL NOT NULL, funding REAL NOT NULL,
  net REAL NOT NULL, worst REAL, best REAL, reason TEXT NOT NULL,
  PRIMARY KEY(backtest_id, trade)) WITHOUT ROWID;
CREATE TABLE backtest_equity(
  backtest_id INTEGER NOT NULL, bars INTEGER NOT NULL, time INTEGER NOT NULL,
  zscore_low REAL, zscore_high REAL, equity_low REAL NOT NULL, equity_high REAL NOT NULL,
  drawdown REAL NOT NULL,
  PRIMARY KEY(backtest_id, bars, time)) WITHOUT ROWID;
"""

BACKTESTS_STEPS = [_BACKTESTS_1]
