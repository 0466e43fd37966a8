"""The exchange's REST side: requests within a weight budget, typed answers."""

from collector.rest.answers import Kline, SymbolInfo
from collector.rest.budget import WeightBudget
from collector.rest.client import PAGE, RestClient, RestError, RestRefusedError

__all__ = [
    "PAGE",
    "Kline",
    "RestClient",
    "RestError",
    "RestRefusedError",
    "SymbolInfo",
    "WeightBudget",
]
