from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from importer.ids import IdRange, KnownIds, RunCollector, missing_in

ids = st.sets(st.integers(0, 60))


def spelled_out(ranges: list[IdRange]) -> list[int]:
    return [number for part in ranges for number in range(part.first, part.last + 1)]


def collected(pieces: list[set[int]]) -> list[IdRange]:
    runs = RunCollector()
    for piece in pieces:
        runs.add(np.array(sorted(piece), np.int64))
    return runs.runs()


@given(st.lists(ids, max_size=6))
def test_runs_are_the_ids_in_ascending_ranges_with_holes_between(pieces: list[set[int]]) -> None:
    runs = collected(pieces)
    assert spelled_out(runs) == sorted(set().union(*pieces))
    assert all(a.last + 1 < b.first for a, b in pairwise(runs))


@given(ids, st.integers(-5, 65), st.integers(0, 70))
def test_what_is_missing_is_what_no_run_has(held: set[int], first: int, length: int) -> None:
    wanted = IdRange(first, first + length - 1)
    missing = missing_in(wanted, collected([held]))
    assert spelled_out(missing) == [n for n in range(first, first + length) if n not in held]


@given(ids, ids, ids)
def test_known_are_the_held_ids_but_those_in_gaps(
    held: set[int], missing: set[int], asked: set[int]
) -> None:
    whole = IdRange(min(held), max(held)) if held else None
    known = KnownIds(whole, collected([missing]))
    span = set(range(whole.first, whole.last + 1)) if whole else set()
    found = known.among(np.array(sorted(asked), np.int64))
    assert found.tolist() == sorted(asked & (span - missing))


def test_a_month_of_ids_stays_small() -> None:
    runs = RunCollector()
    for start in range(0, 30_000_000, 1_000_000):
        runs.add(np.arange(start, start + 1_000_000))
    assert runs.runs() == [IdRange(0, 29_999_999)]
