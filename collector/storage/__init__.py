"""Trades in ticks.db: one transaction a batch, with the gaps and counters that belong to it."""
