"""Spans of a walk-forward: each a time to choose parameters in, and the time after it. Pure."""

from dataclasses import dataclass

from spreadlake.errors import InputError
from spreadlake.words import count


@dataclass(frozen=True)
class Fold:
    """Parameters are chosen on the bars [train, test), and used on the bars [test, end).

    Bars are absolute numbers (time // length).
    """

    train: int
    test: int
    end: int


def split_folds(start: int, end: int, train: int, test: int) -> tuple[Fold, ...]:
    """Folds of the bars [start, end), counted from `start`: spans of `train` and `test` bars.

    Each fold begins `test` bars after the one before, so that the test spans follow each other
    without a hole and none overlaps another; the last ends with the bars. So more bars add folds,
    and change none that was whole. InputError where no bar is left to test on.
    """
    if end - start <= train:
        raise InputError(
            f"training takes {count(train, 'bar')} and there {_are(end - start)}: none is left to "
            "test on; train on a shorter span, or take a longer time"
        )
    tests = range(start + train, end, test)
    return tuple(Fold(at - train, at, min(at + test, end)) for at in tests)


def _are(bars: int) -> str:
    return "is 1 bar" if bars == 1 else f"are {max(bars, 0):,} bars"
