"""Which symbols are captured, how they stand at the exchange, and edits of both."""
