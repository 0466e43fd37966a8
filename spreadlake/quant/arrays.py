"""The kinds of arrays that the maths takes and gives. Pure."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Which = Ints | slice
"""Some of many things side by side: their numbers, or a range of them."""
