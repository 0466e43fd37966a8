"""Which pairs the live screens choose to be followed, with hysteresis. Pure.

A screen ranks its pairs by p-value. For the choice a pair is, in one screen,

- *in* where it is among the first `places` and its q-value is up to `max_qvalue`;
- *out* where it is not among the first 2·`places`, its q-value is above 2·`max_qvalue`, or it was
  not tested, or its row was not kept;
- neither in between: that moves nothing.

A pair takes a free place once it was in for ENTER screens in a row, the best ranked first, and
loses its place once it was out for LEAVE in a row. One with an open alert stays beyond that without
a place, until the alert is closed. Where there are fewer places than before, those that rank last
lose theirs. A/B and B/A are one pair, which keeps the direction it was chosen in.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from spreadlake.pairs import Pair

ENTER = 3
"""Screens in a row that a pair is in before it takes a place."""
LEAVE = 10
"""Screens in a row that a pair is out before it loses its place."""
BAND = 2
"""How much farther than the border of *in* the border of *out* is, by rank and by q-value."""


class Screened(NamedTuple):
    """A pair of a screen, in the better direction; they come in order of rank."""

    pair: Pair
    qvalue: float | None


class Choice(NamedTuple):
    """A pair that is followed, or one on its way there (`since` is None).

    `since` is the close of the bar (Unix s) of the screen that chose it, `why` what that screen
    said. `times_in` and `times_out` count screens in a row, up to ENTER and LEAVE. One without a
    `place` stays for its open alert.
    """

    pair: Pair
    since: int | None = None
    times_in: int = 0
    times_out: int = 0
    place: bool = False
    why: str = ""

    @property
    def followed(self) -> bool:
        """Whether it is followed."""
        return self.since is not None


class Rule(NamedTuple):
    """How many pairs are followed, and up to which q-value one counts as found."""

    places: int
    max_qvalue: float


def choose(
    before: Iterable[Choice],
    screened: Sequence[Screened],
    time: int,
    rule: Rule,
    alerted: Collection[frozenset[str]],
) -> list[Choice]:
    """The choices after a screen whose bar closes at `time`, in order of rank.

    `alerted` are the pairs, as sets of their legs, that have an open alert. At most `rule.places`
    have a place, and at most as many more are on their way.
    """
    rank = {frozenset(one.pair): at for at, one in enumerate(screened)}
    known = {frozenset(one.pair): one for one in before}
    for one in screened[: rule.places]:
        known.setdefault(frozenset(one.pair), Choice(one.pair))
    counted = [_counted(one, key, rank, screened, rule) for key, one in known.items()]
    counted.sort(key=lambda one: (rank.get(frozenset(one.pair), len(screened)), one.pair))
    seated = [one for one in counted if one.place and one.times_out < LEAVE][: rule.places]
    ready = [one for one in counted if not one.place and one.times_in >= ENTER]
    seated += ready[: rule.places - len(seated)]
    return _settled(counted, {one.pair for one in seated}, rank, screened, time, alerted)


def _counted(
    one: Choice,
    key: frozenset[str],
    rank: Mapping[frozenset[str], int],
    screened: Sequence[Screened],
    rule: Rule,
) -> Choice:
    """With this screen counted; who is not followed goes the way round that is better now."""
    at = rank.get(key)
    found = None if at is None else screened[at]
    is_in = _within(at, found, rule)
    is_out = not _within(at, found, Rule(BAND * rule.places, BAND * rule.max_qvalue))
    return one._replace(
        pair=one.pair if one.followed or found is None else found.pair,
        times_in=min(one.times_in + 1, ENTER) if is_in else 0,
        times_out=min(one.times_out + 1, LEAVE) if is_out else 0,
    )


def _within(at: int | None, found: Screened | None, rule: Rule) -> bool:
    if at is None or found is None or found.qvalue is None:
        return False
    return at < rule.places and found.qvalue <= rule.max_qvalue


def _settled(
    counted: Iterable[Choice],
    seated: Collection[Pair],
    rank: Mapping[frozenset[str], int],
    screened: Sequence[Screened],
    time: int,
    alerted: Collection[frozenset[str]],
) -> list[Choice]:
    """Who is followed now, and who is on the way there."""
    settled = []
    for one in counted:
        key = frozenset(one.pair)
        if one.pair in seated:
            entered = one if one.followed else _entered(one, rank[key], screened, time)
            settled.append(entered._replace(place=True))
        elif one.followed and key in alerted:
            settled.append(one._replace(place=False))
        elif one.times_in:
            settled.append(Choice(one.pair, times_in=one.times_in))
    return settled


def _entered(one: Choice, at: int, screened: Sequence[Screened], time: int) -> Choice:
    why = f"rank {at + 1} with q {screened[at].qvalue:.2g}, among the first {ENTER} times in a row"
    return one._replace(since=time, why=why)
