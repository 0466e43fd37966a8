"""What is computed from a lake on demand, with the maths of `spreadlake.quant`.

`open_lake` is its face in Python. `frames`: trades, bars, pairs and events as frames; `coverage`:
what there is and what is missing; `screen`; `backtests`, and `pictures` of them.
"""

from spreadlake.research.pair_series import computed_rows
from spreadlake.research.screen import NoScreenError, Screen, ScreenRequest, take_screen

__all__ = [
    "NoScreenError",
    "Screen",
    "ScreenRequest",
    "computed_rows",
    "take_screen",
]
