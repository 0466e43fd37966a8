"""Funding rates of the captured symbols, fetched over REST: what was, and each new one."""
