"""Old rows in Parquet: rolled there, and what a damaged file costs."""
