"""Independent tasks, one function over many items: where they run is somebody else's choice. Pure.

Research maps its work through `Tasks` and knows no more of it: in this process, or on a cluster
(`spreadlake.cluster`). What is mapped is a function of its item alone that is the same wherever it
runs, so that results are the same to the last bit.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

Progress = Callable[[int, int], None]
"""Told how many of how many are done."""


class Tasks(Protocol):
    """Where tasks run."""

    @property
    def workers(self) -> int:
        """How many tasks run at a time."""

    def map(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        advance: Progress | None = None,
    ) -> Iterator[Result]:
        """The results in the order of the items; few of them are held at a time.

        An error of a task is raised where its result would come. When the iterator is closed, what
        was not done yet is given up. Where `workers` is above 1, function, items and results are
        pickled: a function that holds what it has read leaves that out.
        """


class InProcess:
    """One task after another, here and now."""

    workers = 1

    def map(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        advance: Progress | None = None,
    ) -> Iterator[Result]:
        """A task is done when its result is asked for."""
        for done, item in enumerate(items):
            if advance is not None:
                advance(done, len(items))
            yield function(item)
        if advance is not None:
            advance(len(items), len(items))


HERE = InProcess()
"""Where nothing else is asked for."""


def spread(count: int, workers: int, each: int = 4) -> int:
    """Into how many parts to cut `count` of something, so that no worker waits long at the end."""
    return max(1, min(count, workers * each)) if workers > 1 else 1
