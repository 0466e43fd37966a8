"""What is computed from a lake on demand, with the maths of `spreadlake.quant`."""

from spreadlake.research.pair_series import computed_rows
from spreadlake.research.screen import NoScreenError, Screen, ScreenRequest, take_screen

__all__ = [
    "NoScreenError",
    "Screen",
    "ScreenRequest",
    "computed_rows",
    "take_screen",
]
