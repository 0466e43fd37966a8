"""What is remembered of gaps in repair: what was asked for in vain, when to ask again. Pure.

Times are given, in seconds of one clock. What becomes of a gap is on record elsewhere: whatever is
forgotten here costs a few more questions and nothing else.
"""

from collections import Counter

from spreadlake.backoff import Backoff
from spreadlake.lake.ticks.gaps import Gap
from spreadlake.trades import IdRange

# One answer may be wrong: only as many equal ones are believed.
ENOUGH_ANSWERS = 3
_REMEMBERED = 10_000

Key = tuple[str, int]


class RepairAttempts:
    """Of each gap, by its symbol and last id: what is filled of it is filled from the first id on.

    It is asked for again after `first` seconds, then after ever longer up to `cap`.
    """

    def __init__(self, first: float, cap: float) -> None:
        self._first = first
        self._cap = cap
        self._in_vain: dict[Key, Backoff] = {}
        self._absent: Counter[Key] = Counter()
        self._ask_after: dict[Key, float] = {}
        self._nothing_since: dict[Key, float] = {}
        # By symbol and when a gap was found, as both outlast what divides it.
        self._in_reach: set[Key] = set()
        self._filled: Counter[Key] = Counter()

    def is_due(self, gap: Gap, now: float) -> bool:
        """Whether it is to be asked for now."""
        return now >= self._ask_after.get(_key(gap), 0.0)

    def in_vain(self, gap: Gap) -> int:
        """How often in a row it was asked for and nothing of it was in the answer."""
        backoff = self._in_vain.get(_key(gap))
        return backoff.failures if backoff else 0

    def note_in_vain(self, gap: Gap, now: float) -> None:
        """Nothing of it was in the answer: REST is behind, and is asked ever more seldom."""
        new = Backoff(self._first, self._cap, jitter=0.0)
        backoff = self._in_vain.setdefault(_key(gap), new)
        self._ask_after[_key(gap)] = now + backoff.next()

    def note_absent(self, gap: Gap, absent: IdRange, now: float) -> bool:
        """An answer passed over `absent` ids of the gap; whether enough have, to believe it."""
        key = (gap.symbol, absent.last)
        self._absent[key] += 1
        if self._absent[key] >= ENOUGH_ANSWERS:
            del self._absent[key]
            return True
        self._ask_after[_key(gap)] = now + self._first * self._absent[key]
        return False

    def nothing_for(self, gap: Gap, now: float) -> float:
        """For how many seconds REST has been without any trade of the symbol."""
        return now - self._nothing_since.setdefault(_key(gap), now)

    def note_something(self, gap: Gap) -> None:
        """REST has trades of the symbol."""
        self._nothing_since.pop(_key(gap), None)

    def note_filled(self, gap: Gap, trades: int) -> int:
        """So many trades of the gap were stored; how many all in all since it was found."""
        self._in_vain.pop(_key(gap), None)
        key = (gap.symbol, gap.found_ms)
        self._filled[key] += trades
        return self._filled[key]

    def note_complete(self, gap: Gap) -> None:
        """All of it was stored."""
        self._filled.pop((gap.symbol, gap.found_ms), None)

    def is_in_reach(self, gap: Gap) -> bool:
        """Whether it was found to be young enough: what was so when its repair began stays so."""
        return (gap.symbol, gap.found_ms) in self._in_reach

    def note_in_reach(self, gap: Gap) -> None:
        """It is young enough, or all of it that is left."""
        self._in_reach.add((gap.symbol, gap.found_ms))

    def forget(self, everything: bool) -> None:
        """Drops what there is no gap for any more, or too much of."""
        memories = (
            self._in_vain, self._absent, self._ask_after, self._nothing_since,
            self._in_reach, self._filled,
        )  # fmt: skip
        for memory in memories:
            if everything or len(memory) > _REMEMBERED:
                memory.clear()


def _key(gap: Gap) -> Key:
    return gap.symbol, gap.range.last
