"""The synthetic market: a model of correlated prices, and it as a source of the exchange."""
