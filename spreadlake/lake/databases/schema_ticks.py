"""The tables of `ticks.db`, and the steps from one version of them to the next.

As `spreadlake.lake.databases.schema` says of all databases.
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

# Whether trades of a symbol are to be expected at any time: not while it is halted, after its end,
# and outside the hours of its market; NULL where the exchange was not asked since.
_TICKS_TRADING = """
ALTER TABLE universe ADD COLUMN trading INTEGER;
"""

# When each symbol left those that are captured or ended (`captured` 0), and when it came back (1),
# by the trade time that had been reached then: of one that is away closes are not carried on.
_TICKS_UNIVERSE_CHANGES = """
CREATE TABLE universe_changes(
  seq INTEGER PRIMARY KEY, symbol TEXT NOT NULL, time_ms INTEGER NOT NULL,
  captured INTEGER NOT NULL);
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
    _TICKS_UNIVERSE_CHANGES,
]
