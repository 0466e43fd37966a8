"""The simulated exchange: Binance's USDⓈ-M market data on loopback."""
