"""Latencies in fixed buckets, which one service counts and another publishes. Pure.

A latency is of two clocks, the exchange's and ours: where ours is behind, it may come out below 0.
Such a one counts as 0, in the lowest bucket, and is counted as such: what is measured then is worth
no more than the clock.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # numpy takes a while to import, and the exporter needs none of it
    import numpy as np
    from numpy.typing import NDArray

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds in seconds, included; what is above them goes to one more."""
RECEIVE, COMMIT = "receive_latency", "commit_latency"
"""From the exchange's event time to our receipt, and to the commit: names of counters."""

_LABELS = (*(str(bound) for bound in BUCKETS), "+Inf")
Counts = dict[tuple[str, str], float]


def counted(name: str, milliseconds: "NDArray[np.int64]") -> Counts:
    """Counters of latencies: how many are in which bucket, their sum (s), how many below 0."""
    import numpy as np  # noqa: PLC0415

    at = np.searchsorted(np.array(BUCKETS) * 1000, milliseconds)
    numbers = np.bincount(at, minlength=len(_LABELS)).tolist()
    counts: Counts = {(name, label): n for label, n in zip(_LABELS, numbers, strict=True) if n}
    counts[f"{name}_seconds", ""] = float(np.maximum(milliseconds, 0).sum()) / 1000
    counts[f"{name}_negative", ""] = float((milliseconds < 0).sum())
    return counts


def cumulative(
    name: str, counters: Mapping[tuple[str, str], float]
) -> tuple[list[tuple[str, float]], float]:
    """(Upper bound, how many are not above it) of each bucket, and the sum in seconds."""
    return list(_rising(name, counters)), counters.get((f"{name}_seconds", ""), 0.0)


def negative(name: str, counters: Mapping[tuple[str, str], float]) -> float:
    """How many came out below 0."""
    return counters.get((f"{name}_negative", ""), 0.0)


def _rising(name: str, counters: Mapping[tuple[str, str], float]) -> Iterator[tuple[str, float]]:
    total = 0.0
    for label in _LABELS:
        total += counters.get((name, label), 0.0)
        yield label, total
