"""What the job computes, as the lake keeps it: rows in SQLite and in Parquet, and their series."""
