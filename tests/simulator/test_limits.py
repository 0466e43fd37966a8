"""Request weights, bans and message rates, on given times."""

from simulator.serving.limits import Limits, MessageRate, OverLimit, WeightCounter

LIMITS = Limits(weight_per_minute=100, weight_window=60.0, ban_after=2, ban_seconds=30.0)


def test_weight_is_refused_beyond_the_limit_until_the_window_ends() -> None:
    budget = WeightCounter(LIMITS)
    assert [budget.spend(20, 6.5) for _ in range(5)] == [None] * 5
    assert budget.used == 100
    assert budget.spend(20, 6.5) == OverLimit(429, 54)
    assert budget.spend(20, 6.5 + 54) is None
    assert budget.used == 20


def test_who_goes_on_is_banned_and_longer_each_time() -> None:
    budget = WeightCounter(LIMITS)
    answers = [budget.spend(101, 0.0) for _ in range(3)]
    assert [answer and answer.status for answer in answers] == [429, 429, 418]
    assert budget.spend(1, 29.9) == OverLimit(418, 1)
    assert budget.spend(1, 61.0) is None
    again = [budget.spend(101, 61.0) for _ in range(3)][-1]
    assert again == OverLimit(418, 61)
    assert budget.spend(1, 120.9) is not None
    assert budget.spend(1, 121.1) is None


def test_the_eleventh_message_within_a_second_is_one_too_many() -> None:
    rate = MessageRate(10)
    assert not any(rate.exceeded(0.09 * n) for n in range(10))
    assert rate.exceeded(0.95)
    slow = MessageRate(10)
    assert not any(slow.exceeded(0.125 * n) for n in range(100))
