"""How long live trades took from the exchange's event to our receipt, and to their commit. Pure.

Counted once a batch. A transaction cannot hold its own end: what it says of the commit is of the
batch before it.
"""

import numpy as np
from numpy.typing import NDArray

from collector.storage.columns import Columns
from collector.storage.id_tracker import Plan
from spreadlake.latency import COMMIT, RECEIVE, Counts, counted


class Latencies:
    """`waiting` are counters of committed batches that no transaction has written yet."""

    def __init__(self) -> None:
        self.waiting: Counts = {}
        self._events: NDArray[np.int64] = np.empty(0, np.int64)

    def take(self, columns: Columns, plan: Plan, *, live: bool) -> Counts:
        """What to count in a batch's transaction: only live trades that are new are counted."""
        kept = plan.keep if live else plan.keep[:0]
        self._events, received = columns.told_ms[kept], columns.received_ms[kept]
        known = received > 0
        if not known.any():
            return self.waiting
        return self.waiting | counted(RECEIVE, received[known] - self._events[known])

    def settle(self, now_ms: int) -> None:
        """The transaction of what was taken last is durable, since `now_ms` (local clock)."""
        self.waiting = counted(COMMIT, now_ms - self._events) if self._events.size else {}
