"""Which streams of a connection are lost, though the connection is not. Pure: times are in seconds.

Another connection carries the same streams: where ids come by that one and none at all by this one,
in all of a span, this one does not carry the stream any more.
"""

from collections.abc import Sequence
from typing import NamedTuple

# Fewer may all have come just before the span's end, and be on their way by this connection.
_ENOUGH = 3


class _Seen(NamedTuple):
    of: object
    at: float
    own: Sequence[int]
    best: Sequence[int]


class LostStreams:
    """Looks at one connection after the other; `seconds` is the span."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: _Seen | None = None

    def is_due(self, of: object, now: float) -> bool:
        """Whether there is anything to look at: a span is over, or a new one begins."""
        return self._seen is None or self._seen.of != of or now - self._seen.at >= self._seconds

    def look(self, of: object, now: float, own: Sequence[int], best: Sequence[int]) -> list[int]:
        """The positions of streams that are lost; `of` is the connection and what it carries.

        `own` are the greatest ids that came by it, by stream, `best` by any; -1 where none did.
        """
        seen, self._seen = self._seen, _Seen(of, now, own, best)
        if seen is None or seen.of != of:
            return []
        return [
            at
            for at, ids in enumerate(zip(seen.own, own, seen.best, best, strict=True))
            if _is_lost(*ids)
        ]


def _is_lost(own_before: int, own: int, best_before: int, best: int) -> bool:
    return own == own_before and best_before >= 0 and best - best_before >= _ENOUGH
