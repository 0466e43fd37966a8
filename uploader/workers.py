"""Threads that ask the bucket, so that nobody else waits for it.

They end with the process, whatever they wait for: what was not recorded is done once more.
"""

from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Generic, NamedTuple, TypeVar

from spreadlake.errors import LakeError

T = TypeVar("T")
R = TypeVar("R")

_TICK = 0.5


class Outcome(NamedTuple, Generic[T, R]):
    """What came of an item: a result, or why there is none."""

    item: T
    result: R | None
    error: LakeError | OSError | None


class Workers:
    """A fixed number of them."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._todo: SimpleQueue[Callable[[], None]] = SimpleQueue()
        for _ in range(number):
            Thread(target=self._work, daemon=True).start()

    def run(
        self, work: Callable[[T], R], items: Iterable[T], go_on: Callable[[], bool]
    ) -> Iterator[Outcome[T, R] | None]:
        """What comes of the items, as it comes; None now and then, while nothing does.

        Once `go_on` says no, no other item is begun. Raises what is neither trouble with the lake
        or the bucket nor with the disk.
        """
        done: SimpleQueue[Outcome[T, R] | BaseException] = SimpleQueue()
        left, begun = iter(items), 0
        while True:
            while begun < self._number and go_on():
                try:
                    item = next(left)
                except StopIteration:
                    break
                self._todo.put(_task(work, item, done))
                begun += 1
            if not begun:
                return
            try:
                outcome = done.get(timeout=_TICK)
            except Empty:
                yield None
                continue
            begun -= 1
            if isinstance(outcome, BaseException):
                raise outcome
            yield outcome

    def _work(self) -> None:
        while True:
            self._todo.get()()


def _task(
    work: Callable[[T], R], item: T, done: "SimpleQueue[Outcome[T, R] | BaseException]"
) -> Callable[[], None]:
    def task() -> None:
        try:
            done.put(Outcome(item, work(item), None))
        except (LakeError, OSError) as error:
            done.put(Outcome(item, None, error))
        except BaseException as error:  # noqa: BLE001 raised again where it is waited for
            done.put(error)

    return task
