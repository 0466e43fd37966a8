"""Which ids are new and which are missing, whatever order they come in."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spreadlake.lake.ticks.id_ranges import (
    GapChange,
    HeldIds,
    IdCollector,
    absorb,
    runs,
    subtract,
    subtract_ranges,
)
from spreadlake.trades import IdRange

IDS = st.lists(st.integers(0, 60), min_size=1, max_size=40)


def array(*ids: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(ids, np.int64)


def test_nothing_is_missing_before_the_first_trade() -> None:
    found = absorb(None, array(100, 101))
    assert found.held == HeldIds(100, 101)
    assert found.opened == ()
    assert found.fresh.all()


def test_a_jump_opens_a_hole() -> None:
    found = absorb(HeldIds(1, 10), array(11, 15, 16, 20))
    assert found.held == HeldIds(1, 20, (IdRange(12, 14), IdRange(17, 19)))
    assert found.opened == (IdRange(12, 14), IdRange(17, 19))


def test_a_jump_between_batches_opens_a_hole() -> None:
    assert absorb(HeldIds(1, 10), array(13)).opened == (IdRange(11, 12),)


def test_ids_that_are_held_are_not_fresh() -> None:
    found = absorb(HeldIds(1, 10, (IdRange(5, 6),)), array(4, 5, 5, 7, 10, 11))
    assert found.fresh.tolist() == [False, True, False, False, False, True]


def test_a_hole_shrinks_where_it_is_filled() -> None:
    hole = IdRange(10, 20)
    found = absorb(HeldIds(1, 30, (hole,)), array(10, 11, 15))
    left = (IdRange(12, 14), IdRange(16, 20))
    assert found.changed == (GapChange(hole, (IdRange(10, 11), IdRange(15, 15)), left),)
    assert found.held == HeldIds(1, 30, left)


def test_adjacent_holes_stay_apart() -> None:
    """One may be lost and the other still be repaired."""
    holes = (IdRange(10, 12), IdRange(13, 15))
    found = absorb(HeldIds(1, 30, holes), array(13))
    assert found.held.gaps == (IdRange(10, 12), IdRange(14, 15))
    assert found.changed[0].gap == holes[1]


def test_an_earlier_trade_than_the_first_extends_downwards() -> None:
    found = absorb(HeldIds(10, 12), array(7))
    assert found.held == HeldIds(7, 12, (IdRange(8, 9),))
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
    missing = {i for hole in held.gaps for i in range(hole.first, hole.last + 1)}
    assert missing == set(range(held.first, held.last + 1)) - set(stored)
    assert list(held.gaps) == sorted(held.gaps)


@given(st.permutations(range(30)), st.lists(st.integers(1, 7), min_size=1, max_size=30))
def test_no_hole_is_left_when_everything_arrived(order: list[int], sizes: list[int]) -> None:
    held, start = None, 0
    while start < len(order):
        size = sizes[start % len(sizes)]
        held = absorb(held, np.sort(np.array(order[start : start + size], np.int64))).held
        start += size
    assert held == HeldIds(0, 29)


@given(IDS)
def test_changes_account_for_every_id(ids: list[int]) -> None:
    holes = (IdRange(5, 9), IdRange(20, 40))
    found = absorb(HeldIds(0, 50, holes), np.sort(np.array(ids, np.int64)))
    for change in found.changed:
        covered = [
            i for part in (*change.filled, *change.left) for i in range(part[0], part[1] + 1)
        ]
        assert sorted(covered) == list(range(change.gap.first, change.gap.last + 1))
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


SETS = st.sets(st.integers(0, 60))


def spelled_out(ranges: Iterable[IdRange]) -> list[int]:
    return [number for part in ranges for number in range(part.first, part.last + 1)]


def collected(pieces: list[set[int]]) -> list[IdRange]:
    found = IdCollector()
    for piece in pieces:
        found.add(np.array(sorted(piece), np.int64))
    return found.ranges()


@given(st.lists(SETS, max_size=6))
def test_ranges_are_the_ids_ascending_with_gaps_between(pieces: list[set[int]]) -> None:
    ranges = collected(pieces)
    assert spelled_out(ranges) == sorted(set().union(*pieces))
    assert all(a.last + 1 < b.first for a, b in pairwise(ranges))


@given(SETS, st.integers(-5, 65), st.integers(0, 70))
def test_what_is_missing_is_what_no_run_has(held: set[int], first: int, length: int) -> None:
    wanted = IdRange(first, first + length - 1)
    missing = subtract_ranges(wanted, collected([held]))
    assert spelled_out(missing) == [n for n in range(first, first + length) if n not in held]


@given(st.sets(st.integers(0, 60), min_size=1), SETS, SETS)
def test_known_are_the_held_ids_but_those_in_gaps(
    held: set[int], missing: set[int], asked: set[int]
) -> None:
    known = HeldIds(min(held), max(held), tuple(collected([missing])))
    ids = np.array(sorted(asked), np.int64)
    there = set(range(min(held), max(held) + 1)) - missing
    assert ids[known.among(ids)].tolist() == sorted(asked & there)


def test_a_month_of_ids_stays_small() -> None:
    found = IdCollector()
    for start in range(0, 30_000_000, 1_000_000):
        found.add(np.arange(start, start + 1_000_000))
    assert found.ranges() == [IdRange(0, 29_999_999)]
