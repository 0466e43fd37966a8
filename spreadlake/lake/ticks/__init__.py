"""The trades of a lake, hot in `ticks.db` and cold in Parquet, and all SQL on that database.

A file a table (`hot` for `ticks`), the ids of trades as ranges, the partitions, and `trades`, which
reads both places as one.
"""
