"""How far long work is: the share that is done, and an estimate that comes true."""

import pytest

from spreadlake.words import words_of_work
from spreadlake.work import Estimate, Work


def test_at_a_steady_rate_the_estimate_comes_true_from_the_second_look_on() -> None:
    estimate = Estimate()
    for second in range(0, 101, 5):
        estimate.take(Work("bars", "hour", 50 - second / 2), 1000.0 + second)
        if second:
            assert estimate.seconds_left("bars") == pytest.approx(100 - second)
        assert estimate.share("bars") == pytest.approx(second / 100)
    assert estimate.share("bars") == 1.0


def test_time_that_went_to_another_stage_does_not_count() -> None:
    estimate = Estimate()
    for now, stage, left in [
        (0.0, "bars", 10.0),
        (10.0, "bars", 5.0),
        (10.0, "rows", 100.0),
        (90.0, "rows", 0.0),
        (90.0, "bars", 5.0),
    ]:
        estimate.take(Work(stage, "hour", left), now)
    assert estimate.seconds_left("bars") == pytest.approx(10.0)
    assert estimate.share("rows") == 1.0


def test_what_grows_meanwhile_takes_no_share_back_below_what_is_done() -> None:
    estimate = Estimate()
    for now, left in enumerate([10.0, 5.0, 15.0, 0.0]):
        estimate.take(Work("rows", "row", left), now)
        assert 0 <= (estimate.share("rows") or 0) <= 1
    assert estimate.share("rows") == 1.0


def test_what_is_not_known_is_not_made_up() -> None:
    estimate = Estimate()
    estimate.take(Work("moving", "piece", None), 0.0)
    assert estimate.share("moving") is None
    assert estimate.seconds_left("moving") is None


def test_it_is_said_in_words() -> None:
    assert words_of_work(Work("slow statistics", "row", 1234.0)) == (
        "slow statistics: 1,234 rows to go"
    )
    assert words_of_work(Work("bars", "hour", 2.25, "1m, 3 pairs")) == (
        "bars: 2.2 hours of trades to go (1m, 3 pairs)"
    )
    assert words_of_work(Work("moving", "piece", None)) == "moving"
