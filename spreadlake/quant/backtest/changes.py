"""How equity changes from bar to bar: its Sharpe ratio, skewness and kurtosis. Pure."""

import math
from dataclasses import astuple, dataclass
from typing import Self

import numpy as np

from spreadlake.quant.arrays import Floats

_ROUNDING = 1e-13  # below this share of its square, a deviation is rounding


@dataclass(frozen=True)
class Changes:
    """Of so many changes the sums of their first to fourth powers; spans are put together by +.

    Nothing is held through most bars of a back-test, and nothing changes there: what changes has a
    mean near 0 beside its deviation, so that these sums lose no digits that matter.
    """

    count: int
    total: float = 0.0
    squares: float = 0.0
    cubes: float = 0.0
    fourths: float = 0.0

    @classmethod
    def of(cls, equity: Floats, count: int) -> Self:
        """Of equity that begins at 0 and then has these levels; the others of `count` are 0."""
        return cls.of_steps(count, np.diff(equity, prepend=0.0))

    @classmethod
    def of_steps(cls, count: int, *steps: Floats) -> Self:
        """Of some changes; the others of `count` are 0."""
        sums = np.zeros(4)
        for some in steps:
            power = some.copy()
            sums[0] += power.sum()
            for at in (1, 2, 3):
                power *= some
                sums[at] += power.sum()
        return cls(count, *sums.tolist())

    def __add__(self, other: "Changes") -> "Changes":
        return Changes(*(x + y for x, y in zip(astuple(self), astuple(other), strict=True)))

    @property
    def sharpe(self) -> float:
        """Mean over standard deviation (ddof 1), not annualised; NaN where nothing changes."""
        if self.count < 2 or not self._second:
            return math.nan
        return self._mean / math.sqrt(self._second * self.count / (self.count - 1))

    @property
    def skewness(self) -> float:
        """m₃ / m₂^1.5 with central moments over all changes; NaN where nothing changes."""
        if not self._second:
            return math.nan
        mean = self._mean
        third = (self.cubes - 3 * mean * self.squares) / self.count + 2 * mean**3
        return float(third / self._second**1.5)

    @property
    def kurtosis(self) -> float:
        """m₄ / m₂², 3 for the normal distribution; NaN where nothing changes."""
        if not self._second:
            return math.nan
        mean = self._mean
        sums = self.fourths - 4 * mean * self.cubes + 6 * mean**2 * self.squares
        return (sums / self.count - 3 * mean**4) / self._second**2

    @property
    def _mean(self) -> float:
        return self.total / self.count

    @property
    def _second(self) -> float:
        """The variance (ddof 0), 0 where it is rounding."""
        if not self.count:
            return 0.0
        square = self.squares / self.count
        variance = square - self._mean**2
        return variance if variance > _ROUNDING * square else 0.0


NO_CHANGES = Changes(0)
