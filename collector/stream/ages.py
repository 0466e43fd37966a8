"""When the connections that carry the same symbols are replaced: never two at about one time. Pure.

Each lives its full age, but for one that would end close to another: it ends earlier, and from then
on their ends stay apart by themselves.
"""

from collections.abc import Iterable


def due_time(opened: float, age: float, others: Iterable[float], connections: int) -> float:
    """When a connection is replaced that was opened at `opened`, after at most `age` seconds.

    `others` are the times at which those beside it are due, and `connections` is how many there are
    with it: their ends are to be `age / connections` apart.
    """
    due, apart = opened + age, age / connections
    for other in sorted(others, reverse=True):
        if abs(due - other) < apart / 2:
            due = other - apart
    # One that had no time at all would be followed by the next at once, and so on.
    return max(due, opened + apart / 2)
