"""Which pairs screens choose to be followed: who comes, who goes, and that nobody flaps."""

from collections.abc import Collection, Sequence
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from spreadlake.pairs import Pair
from spreadlake.quant.screen_choice import BAND, ENTER, LEAVE, Choice, Rule, Screened, choose

PAIRS = [Pair(a, b) for a, b in combinations("ABCDE", 2)]
RULE = Rule(2, 0.05)
NOBODY: frozenset[frozenset[str]] = frozenset()

Screens = Sequence[Sequence[Screened]]


def pair(text: str) -> Pair:
    return Pair(text[0], text[1])


def screen(*names: str, q: float = 0.01) -> list[Screened]:
    return [Screened(pair(name), q) for name in names]


def run(
    screens: Screens,
    rule: Rule = RULE,
    alerted: Collection[frozenset[str]] = NOBODY,
    before: Sequence[Choice] = (),
) -> list[Choice]:
    choices = list(before)
    for time, one in enumerate(screens):
        choices = choose(choices, one, time, rule, alerted)
    return choices


def followed(choices: Sequence[Choice]) -> set[str]:
    return {one.pair.a + one.pair.b for one in choices if one.followed}


@st.composite
def a_screen(draw: st.DrawFn) -> list[Screened]:
    """Some of the pairs, each one way round or the other, in order of their q-values."""
    some = draw(st.lists(st.sampled_from(PAIRS), unique=True, max_size=len(PAIRS)))
    turned = [one.turned if draw(st.booleans()) else one for one in some]
    values = st.sampled_from([0.0, 0.04, 0.05, 0.06, 0.1, 0.11, 0.9])
    q = sorted(draw(st.lists(values, min_size=len(some), max_size=len(some))))
    return [Screened(*one) for one in zip(turned, q, strict=True)]


@st.composite
def a_history(draw: st.DrawFn) -> list[tuple[list[Screened], frozenset[frozenset[str]]]]:
    """Screens that often repeat, as a real market's do, and who has an open alert at each."""
    history: list[tuple[list[Screened], frozenset[frozenset[str]]]] = []
    for _ in range(draw(st.integers(1, 8))):
        one = draw(a_screen())
        alerted = frozenset(frozenset(p) for p in draw(st.sets(st.sampled_from(PAIRS), max_size=3)))
        history += [(one, alerted)] * draw(st.integers(1, LEAVE + 2))
    return history


def is_in(screened: Sequence[Screened], legs: frozenset[str], rule: Rule) -> bool:
    first = screened[: rule.places]
    return any(frozenset(o.pair) == legs and (o.qvalue or 0) <= rule.max_qvalue for o in first)


def is_out(screened: Sequence[Screened], legs: frozenset[str], rule: Rule) -> bool:
    return not is_in(screened, legs, Rule(BAND * rule.places, BAND * rule.max_qvalue))


@settings(max_examples=200)
@given(a_history(), st.integers(1, 3))
def test_whatever_the_screens_say(
    history: list[tuple[list[Screened], frozenset[frozenset[str]]]], places: int
) -> None:
    rule = Rule(places, 0.05)
    choices: list[Choice] = []
    lost: set[frozenset[str]] = set()  # followed without a place
    for time, (screened, alerted) in enumerate(history):
        before = {frozenset(one.pair): one for one in choices if one.followed}
        again = choose(choices, screened, time, rule, alerted)
        assert again == choose(list(reversed(choices)), screened, time, rule, alerted)
        choices = again
        now = {frozenset(one.pair): one for one in choices if one.followed}
        assert len({frozenset(one.pair) for one in choices}) == len(choices)
        assert len(choices) <= 2 * places + len(alerted)
        assert sum(one.place for one in choices) <= places
        for legs, one in now.items():
            assert one.place or legs in alerted
            if legs in before:
                assert (one.pair, one.since, one.why) == before[legs][:2] + before[legs][5:]
            else:
                assert one.since == time
                recent = [shown for shown, _ in history[: time + 1]][-ENTER:]
                assert len(recent) == ENTER
                assert all(is_in(shown, legs, rule) for shown in recent)
                assert one.pair in [shown.pair for shown in screened]
        for legs in before:
            recent = [shown for shown, _ in history[: time + 1]][-LEAVE:]
            if len(recent) == LEAVE and all(is_out(shown, legs, rule) for shown in recent):
                lost.add(legs)
            if legs not in now:
                assert legs in lost
                assert legs not in alerted
        lost &= {legs for legs, one in now.items() if not one.place}


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0.01, 0.05, 0.051, 0.1]))))
def test_who_moves_about_the_edge_stays(jitter: list[tuple[int, float]]) -> None:
    chosen = run([screen("AB", "CD")] * ENTER)
    for rank, q in jitter:
        others = ["AC", "AD", "BE", "BD"]
        names = [*others[:rank], "AB", *others[rank:]]
        chosen = run([screen(*names, q=q)], before=chosen)
        assert "AB" in followed(chosen)


def test_a_pair_comes_after_some_screens_in_a_row() -> None:
    assert followed(run([screen("AB")] * (ENTER - 1))) == set()
    assert followed(run([screen("AB")] * ENTER)) == {"AB"}
    broken = [*[screen("AB")] * (ENTER - 1), screen("CD", "CE"), screen("AB")]
    assert followed(run(broken)) == set()


def test_what_is_not_found_is_not_followed() -> None:
    assert followed(run([screen("AB", q=0.06)] * 20)) == set()
    assert followed(run([[]] * 20)) == set()
    assert followed(run([[Screened(pair("AB"), None)]] * 20)) == set()


def test_a_pair_goes_after_some_screens_in_a_row_that_do_not_find_it() -> None:
    chosen = run([screen("AB")] * ENTER)
    for gone in ([], screen("AB", q=0.11), screen("AC", "AD", "AE", "BC", "AB")):
        assert followed(run([gone] * (LEAVE - 1), before=chosen)) >= {"AB"}
        assert "AB" not in followed(run([gone] * LEAVE, before=chosen))
        once = [*[gone] * (LEAVE - 1), screen("AB", q=0.1), *[gone] * (LEAVE - 1)]
        assert "AB" in followed(run(once, before=chosen))


def test_one_that_is_better_waits_for_a_place() -> None:
    chosen = run([screen("AB", "CD")] * ENTER)
    better = screen("AC", "BD", "AB", "CD")
    assert followed(run([better] * 50, before=chosen)) == {"AB", "CD"}
    without = screen("AC", "BD", "CD")
    assert followed(run([without] * (LEAVE - 1), before=chosen)) == {"AB", "CD"}
    assert followed(run([without] * LEAVE, before=chosen)) == {"AC", "CD"}


def test_it_keeps_the_direction_it_was_chosen_in() -> None:
    chosen = run([screen("AB"), screen("AB"), screen("BA")])
    assert followed(chosen) == {"BA"}
    assert followed(run([screen("AB")] * 20, before=chosen)) == {"BA"}


def test_an_open_alert_keeps_a_pair_beyond_the_places() -> None:
    rule = Rule(1, 0.05)
    ab = frozenset("AB")
    chosen = run([screen("AB")] * ENTER, rule)
    since = next(one.since for one in chosen if one.followed)
    other = screen("CD", "CE", "DE")
    chosen = run([other] * LEAVE, rule, {ab}, chosen)
    assert followed(chosen) == {"AB", "CD"}
    assert followed(run([other] * 100, rule, {ab}, chosen)) == {"AB", "CD"}
    assert followed(run([other], rule, NOBODY, chosen)) == {"CD"}
    # Found again it has no place yet, for that was taken; when there is one, it is as it was.
    chosen = run([screen("CD", "AB")] * 20, rule, {ab}, chosen)
    assert followed(chosen) == {"AB", "CD"}
    chosen = run([screen("AB")] * LEAVE, rule, {ab}, chosen)
    assert [(one.place, one.since) for one in chosen] == [(True, since)]
    assert followed(run([screen("AB")], rule, NOBODY, chosen)) == {"AB"}


def test_with_fewer_places_those_that_rank_last_go() -> None:
    chosen = run([screen("AB", "CD", "AE")] * ENTER, Rule(3, 0.05))
    assert len(followed(chosen)) == 3
    fewer = Rule(1, 0.05)
    assert followed(run([screen("CD", "AB", "AE")], fewer, NOBODY, chosen)) == {"CD"}
    ae = frozenset("AE")
    assert followed(run([screen("CD", "AB", "AE")], fewer, {ae}, chosen)) == {"CD", "AE"}


def test_why_says_what_the_screen_did() -> None:
    (one,) = run([screen("AB")] * ENTER)
    assert one.why == "rank 1 with q 0.01, among the first 3 times in a row"
