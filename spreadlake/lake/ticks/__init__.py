"""The trades of a lake, hot in `ticks.db` and cold in Parquet, and all SQL on that database."""
