"""How long live trades took from the exchange's event to our receipt, and to their commit. Pure.

Counted once a batch. A transaction cannot hold its own end: what it says of the commit is of the
batch before it.
"""

import numpy as np
from numpy.typing import NDArray

from collector.storage.batch import Batch
from collector.storage.id_tracker import Plan
from spreadlake.latency import COMMIT, RECEIVE, Counts, counted


class Latencies:
    """`waiting` are counters of committed batches that no transaction has written yet."""

    def __init__(self) -> None:
        self.waiting: Counts = {}
        self._events: NDArray[np.int64] = np.empty(0, np.int64)

    def take(self, batch: Batch, plan: Plan) -> Counts:
        """What to count in a batch's transaction: only live trades that are new are counted."""
        kept = [batch.events[i] for i in plan.keep.tolist()] if batch.source == "live" else []
        # Without an event time (another exchange) the trade's own counts.
        told = (getattr(e, "event_ms", None) or getattr(e, "time_ms", 0) for e in kept)
        self._events = np.fromiter(told, np.int64, len(kept))
        received = np.fromiter((e.received_ms or 0 for e in kept), np.int64, len(kept))
        known = received > 0
        if not known.any():
            return self.waiting
        return self.waiting | counted(RECEIVE, received[known] - self._events[known])

    def settle(self, now_ms: int) -> None:
        """The transaction of what was taken last is durable, since `now_ms` (local clock)."""
        self.waiting = counted(COMMIT, now_ms - self._events) if self._events.size else {}
