"""A long run's worth of faults, drawn from a seed."""

import random
from collections.abc import Callable

from simulator.faults.plans import (
    Delay,
    Drop,
    DropAfterAccept,
    HalfOpen,
    Plan,
    RefuseHandshake,
    RestFailure,
    RestHow,
    Stall,
    Tamper,
    When,
)
from simulator.faults.tampering import TAMPERINGS

_Draw = Callable[[random.Random, When], Plan]

_REST_FAILURES: tuple[RestHow, ...] = ("status", "status", "malformed", "timeout", "reset")


def _run(dice: random.Random, when: When) -> When:
    """The same moment, for one frame or for a run of them."""
    return When(frame=when.frame, times=dice.choice((1, 1, 2, 5, 30)))


def _rest_failure(dice: random.Random, when: When) -> RestFailure:
    how = dice.choice(_REST_FAILURES)
    status = dice.choice((429, 418, 500, 502, 503, 504))
    retry_after = 1 if status in (429, 418) else None
    return RestFailure(how, status, retry_after, dice.uniform(0.2, 2.0), when=when)


_DRAWS: tuple[tuple[int, _Draw], ...] = (
    (30, lambda dice, when: Tamper(dice.choice(list(TAMPERINGS)), when=when)),
    (10, lambda dice, when: Tamper("lost", when=_run(dice, when))),
    (10, lambda dice, when: Tamper("duplicated", when=_run(dice, when))),
    (12, lambda dice, when: Delay(dice.randint(1, 200), when=_run(dice, when))),
    (12, lambda dice, when: Drop(dice.random() < 0.5, dice.choice((1001, 1008, 1011)), when=when)),
    (3, lambda dice, when: HalfOpen(dice.uniform(30.0, 90.0), when=when)),
    (6, lambda dice, when: Stall(dice.uniform(0.05, 1.5), when=when)),
    (4, lambda dice, when: RefuseHandshake(dice.choice((429, 500, 502, 503)), when=when)),
    (3, lambda dice, when: DropAfterAccept(dice.random() < 0.5, when=when)),
    (10, _rest_failure),
)


def random_faults(seed: int, count: int, frames: int) -> list[Plan]:
    """`count` faults of all kinds, spread over the first `frames` frames that are sent.

    Drops come with a refused or broken reconnect now and then. The same seed gives the same
    faults.
    """
    dice = random.Random(seed)  # noqa: S311 nothing is kept secret with it
    weights = [weight for weight, _ in _DRAWS]
    moments = sorted(dice.randrange(frames) for _ in range(count))
    draws = dice.choices([draw for _, draw in _DRAWS], weights, k=count)
    return [draw(dice, When(frame=moment)) for draw, moment in zip(draws, moments, strict=True)]
