"""Bars: made of trades and klines, kept, built again where a trade came late."""
