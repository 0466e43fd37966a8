"""Delays before a child starts again."""

from hypothesis import given
from hypothesis import strategies as st

from launcher.supervisor.supervisor import restart_backoff, restart_delay


def test_it_doubles_up_to_a_minute() -> None:
    backoff = restart_backoff()
    assert [restart_delay(backoff, 0.1) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff.failures == 8


def test_it_starts_over_after_a_calm_run() -> None:
    backoff = restart_backoff()
    assert [restart_delay(backoff, ran) for ran in (0, 0, 0, 59.9, 60, 0)] == [1, 2, 4, 8, 1, 2]
    assert backoff.failures == 2


@given(st.lists(st.floats(0, 59)))
def test_it_never_shrinks_while_there_is_no_calm(runs: list[float]) -> None:
    backoff = restart_backoff()
    delays = [restart_delay(backoff, ran) for ran in runs]
    assert delays == sorted(delays)
    assert all(1 <= seconds <= 60 for seconds in delays)
