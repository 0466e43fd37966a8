"""Rows and status of every pair, window and lookback."""
