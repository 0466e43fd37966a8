"""Recordings as a source of the exchange: their lines, their frames, what is in them."""
