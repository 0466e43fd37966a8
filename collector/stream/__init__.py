"""Live trades: connections to the exchange, their frames, batches of them, and silence."""
