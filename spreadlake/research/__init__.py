"""What is computed from a lake on demand, with the maths of `spreadlake.quant`."""

from spreadlake.research.pair_series import PairSeries, computed_rows

__all__ = ["PairSeries", "computed_rows"]
