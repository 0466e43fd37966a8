"""What a request costs of the exchange's request weight. Pure.

Source: Binance open platform, USDⓈ-M futures, "Market data endpoints", request weight.
"""

AGG_TRADES_WEIGHT = 20
EXCHANGE_INFO_WEIGHT = 1
_KLINES_WEIGHTS = ((99, 1), (499, 2), (1000, 5))


def klines_weight(limit: int) -> int:
    """Weight of one request for `limit` klines."""
    return next((weight for most, weight in _KLINES_WEIGHTS if limit <= most), 10)
