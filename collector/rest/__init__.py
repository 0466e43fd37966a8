"""The exchange's REST side: requests within a weight budget."""

from collector.rest.budget import WeightBudget
from collector.rest.client import RestClient, RestError, RestRefusedError

__all__ = ["RestClient", "RestError", "RestRefusedError", "WeightBudget"]
