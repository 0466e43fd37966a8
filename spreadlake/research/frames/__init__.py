"""A lake as frames that read what is asked of them: trades, bars, pairs, events."""
