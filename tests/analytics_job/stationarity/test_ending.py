"""The process of the slow statistics is gone, with all that watched it, once it is closed."""

import threading

from analytics_job.stationarity.worker import StationarityWorker


def test_nothing_of_it_is_left_that_could_fail_as_the_job_ends() -> None:
    """Its own thread cleans up beside an interpreter that ends, and then prints a traceback."""
    before = set(threading.enumerate())
    slow = StationarityWorker()
    assert slow._process.compute(int) == 0
    assert set(threading.enumerate()) - before
    slow.close()
    assert not set(threading.enumerate()) - before
