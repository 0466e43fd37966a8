"""How long ago services showed signs of life, over the looks of one reader. Pure.

A sign that can be dated has its age. One that cannot, because clocks were set or differ, is
judged by whether it changes: who is alive leaves another one every second.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

LATE_AFTER_SECONDS = 15.0
"""Services leave a sign at least every few seconds, also when no trade comes."""


class Judgement(NamedTuple):
    """`seconds` since the last sign; `undated` where that is only since we first saw it."""

    seconds: float
    late: bool
    undated: bool = False


@dataclass
class _Seen:
    sign: object
    age: float | None  # when it was first seen, if that could be told
    first: float
    looked: float


@dataclass
class Heartbeats:
    """Remembers the last sign of each service; `patience` is for those that cannot be dated."""

    patience: float = LATE_AFTER_SECONDS
    unsure: bool = False
    _seen: dict[str, _Seen] = field(default_factory=dict)

    def judge(self, name: str, sign: object, age: float | None, now: float) -> Judgement:
        """Judges the `sign` that is there at `now` (monotonic seconds).

        `age` is its age in seconds by the clocks, None where they cannot tell.
        """
        seen = self._seen.get(name)
        if seen is None or seen.sign != sign:
            if seen is not None:  # it came since the last look, whatever the clocks say
                age = min(age or 0.0, now - seen.looked)
            seen = self._seen[name] = _Seen(sign, age, now, now)
        seen.looked = now
        waited = now - seen.first
        if seen.age is not None:
            return Judgement(seen.age + waited, seen.age + waited > LATE_AFTER_SECONDS)
        late = waited > self.patience
        self.unsure = self.unsure or not late
        return Judgement(waited, late, undated=True)
