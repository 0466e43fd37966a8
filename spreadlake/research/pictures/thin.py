"""Fewer points for the same picture: the extremes of each stretch of a line. Pure."""

import numpy as np

from spreadlake.quant.arrays import Floats, Ints


def envelope(values: Floats, points: int) -> Ints:
    """Indices, in order, of at most `points` of the values (8 or more) that draw the same line.

    Of each of many equal stretches the lowest and the highest are among them, and where it has
    NaN (a gap of the line) the first of those; so are the first and the last value of all. So an
    excursion of one value is drawn, however many there are. All, where there are no more than
    `points`.
    """
    if len(values) <= points:
        return np.arange(len(values))
    gaps = np.isnan(values)
    kept = 3 if gaps.any() else 2
    stretches = (points - 2) // kept
    width = -(-len(values) // stretches)
    stretches = -(-len(values) // width)

    def first_at(least: Floats) -> Ints:
        """Of each stretch the index of its least; of what fills the last up, that of its end."""
        rows = np.full(stretches * width, np.inf)
        rows[: len(least)] = least
        at = rows.reshape(stretches, width).argmin(axis=1) + np.arange(stretches) * width
        last: Ints = np.minimum(at, len(least) - 1)
        return last

    found = [
        np.array([0, len(values) - 1]),
        first_at(np.where(gaps, np.inf, values)),
        first_at(np.where(gaps, np.inf, -values)),
    ]
    if kept == 3:
        at = first_at(np.where(gaps, 0.0, 1.0))
        found.append(at[gaps[at]])
    return np.unique(np.concatenate(found))
