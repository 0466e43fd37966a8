"""The kinds of arrays that the maths takes and gives. Pure."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def of_legs(x: Floats, at: Ints) -> Floats:
    """x[at], to read only: that of one leg is a view, as a long history's copies are its cost."""
    return x[at[0] : at[0] + 1] if len(at) == 1 else x[at]
