"""Which slow statistics are computed: often of late, more seldom the farther back. Pure.

The slow statistics of a bar fall due at the first whole multiple of `job.tests_interval` at or
after its end. History keeps fewer of them, so that it can be computed in time: of what is more
than a quarter of an hour old those at whole hours, of what is more than a week old those at whole
days. (Where the interval does not divide an hour, the next multiple of it takes the hour's
place.) Coarser steps are multiples of finer ones: whoever computed more has the others as well.
"""

from dataclasses import dataclass

RECENT_SECONDS = 900
WEEK_SECONDS = 7 * 86_400
_HOUR = 3_600


@dataclass(frozen=True)
class Schedule:
    """`interval` is `job.tests_interval` in whole seconds."""

    interval: int

    @property
    def hourly(self) -> int:
        """The interval's multiple that stands for an hour (s)."""
        return -(-_HOUR // self.interval) * self.interval

    @property
    def daily(self) -> int:
        """The interval's multiple that stands for a day (s)."""
        return 24 * self.hourly

    def step(self, age: int) -> int:
        """Seconds between the tests of bars that end `age` seconds before the newest."""
        if age <= RECENT_SECONDS:
            return self.interval
        return self.hourly if age <= WEEK_SECONDS else self.daily

    def times(self, length: int, start: int, end: int, newest: int, *, every: bool) -> list[int]:
        """Opens of the bars of `length` seconds that are tested at boundaries in (start, end].

        `newest` is the end of the newest bar there is or is about to be; `every`: none is left
        out, however old.
        """
        boundaries = range((start // self.interval + 1) * self.interval, end + 1, self.interval)
        ends = ((boundary, boundary // length * length) for boundary in boundaries)
        return [
            bar_end - length
            for boundary, bar_end in ends
            # A long bar is tested once, at the first boundary at or after its end.
            if bar_end > boundary - self.interval and (every or self.keeps(bar_end, length, newest))
        ]

    def keeps(self, bar_end: int, length: int, newest: int) -> bool:
        """Whether the bar that ends at `bar_end` is the last one before a boundary of its age."""
        return -bar_end % self.step(newest - bar_end) < length
