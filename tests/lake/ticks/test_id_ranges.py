"""Which ids are new and which are missing, whatever order they come in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spreadlake.lake.ticks.id_ranges import Held, HoleChange, IdRange, absorb, runs, subtract

IDS = st.lists(st.integers(0, 60), min_size=1, max_size=40)


def array(*ids: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(ids, np.int64)


def test_nothing_is_missing_before_the_first_trade() -> None:
    found = absorb(None, array(100, 101))
    assert found.held == Held(100, 101)
    assert found.opened == ()
    assert found.fresh.all()


def test_a_jump_opens_a_hole() -> None:
    found = absorb(Held(1, 10), array(11, 15, 16, 20))
    assert found.held == Held(1, 20, (IdRange(12, 14), IdRange(17, 19)))
    assert found.opened == (IdRange(12, 14), IdRange(17, 19))


def test_a_jump_between_batches_opens_a_hole() -> None:
    assert absorb(Held(1, 10), array(13)).opened == (IdRange(11, 12),)


def test_ids_that_are_held_are_not_fresh() -> None:
    found = absorb(Held(1, 10, (IdRange(5, 6),)), array(4, 5, 5, 7, 10, 11))
    assert found.fresh.tolist() == [False, True, False, False, False, True]


def test_a_hole_shrinks_where_it_is_filled() -> None:
    hole = IdRange(10, 20)
    found = absorb(Held(1, 30, (hole,)), array(10, 11, 15))
    left = (IdRange(12, 14), IdRange(16, 20))
    assert found.changed == (HoleChange(hole, (IdRange(10, 11), IdRange(15, 15)), left),)
    assert found.held == Held(1, 30, left)


def test_adjacent_holes_stay_apart() -> None:
    """One may be lost and the other still be repaired."""
    holes = (IdRange(10, 12), IdRange(13, 15))
    found = absorb(Held(1, 30, holes), array(13))
    assert found.held.holes == (IdRange(10, 12), IdRange(14, 15))
    assert found.changed[0].hole == holes[1]


def test_an_earlier_trade_than_the_first_extends_downwards() -> None:
    found = absorb(Held(10, 12), array(7))
    assert found.held == Held(7, 12, (IdRange(8, 9),))
    assert found.opened == (IdRange(8, 9),)


@given(st.lists(IDS, min_size=1, max_size=12))
def test_any_order_and_batching_keeps_the_books_right(batches: list[list[int]]) -> None:
    held, stored = None, []
    for batch in batches:
        ids = np.sort(np.array(batch, np.int64))
        found = absorb(held, ids)
        held = found.held
        stored += ids[found.fresh].tolist()
    assert held is not None
    assert sorted(stored) == sorted({i for batch in batches for i in batch})
    missing = {i for hole in held.holes for i in range(hole.first, hole.last + 1)}
    assert missing == set(range(held.first, held.last + 1)) - set(stored)
    assert list(held.holes) == sorted(held.holes)


@given(st.permutations(range(30)), st.lists(st.integers(1, 7), min_size=1, max_size=30))
def test_no_hole_is_left_when_everything_arrived(order: list[int], sizes: list[int]) -> None:
    held, start = None, 0
    while start < len(order):
        size = sizes[start % len(sizes)]
        held = absorb(held, np.sort(np.array(order[start : start + size], np.int64))).held
        start += size
    assert held == Held(0, 29)


@given(IDS)
def test_changes_account_for_every_id(ids: list[int]) -> None:
    holes = (IdRange(5, 9), IdRange(20, 40))
    found = absorb(Held(0, 50, holes), np.sort(np.array(ids, np.int64)))
    for change in found.changed:
        covered = [
            i for part in (*change.filled, *change.left) for i in range(part[0], part[1] + 1)
        ]
        assert sorted(covered) == list(range(change.hole.first, change.hole.last + 1))
        assert change.filled


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ((), (IdRange(3, 7),)),
        ((3, 4, 5, 6, 7), ()),
        ((1, 5, 9), (IdRange(3, 4), IdRange(6, 7))),
    ],
)
def test_subtract(ids: tuple[int, ...], expected: tuple[IdRange, ...]) -> None:
    assert subtract(IdRange(3, 7), array(*ids)) == expected


def test_runs() -> None:
    assert runs(array()) == ()
    assert runs(array(1, 2, 3, 7, 9, 10)) == (IdRange(1, 3), IdRange(7, 7), IdRange(9, 10))
