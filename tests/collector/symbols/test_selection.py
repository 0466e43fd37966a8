"""Who is chosen, and that nobody at the border goes in and out."""

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.symbols.selection import Known, choose, not_believed, renamed_to
from spreadlake.config.universe import UniverseSettings
from spreadlake.venue import Listed, Standing

HOUR_MS = 3_600_000
NAMES = [f"S{n:02d}USDT" for n in range(30)]


def contract(symbol: str, standing: Standing = Standing.TRADES, **more: Any) -> Listed:
    return Listed(symbol, "TRADING", standing, **{"contract": "PERPETUAL", "quote": "USDT"} | more)


LISTED = [contract(name) for name in NAMES]


def rules(**given: Any) -> UniverseSettings:
    return UniverseSettings(**given)


def chosen(
    how: UniverseSettings, volumes: dict[str, float], captured: set[str] | None = None
) -> set[str]:
    choices = choose(how, LISTED, volumes, captured or set())
    assert all(choice.reason for choice in choices.values())
    assert choices.keys() >= set(NAMES)
    return {symbol for symbol, choice in choices.items() if choice.captured}


def ranked(order: list[str]) -> dict[str, float]:
    """Volumes that put the symbols in this order."""
    return {symbol: float(len(order) - place) for place, symbol in enumerate(order)}


def test_at_first_it_is_exactly_the_top() -> None:
    assert chosen(rules(top=10), ranked(NAMES)) == set(NAMES[:10])


def test_at_the_border_of_the_top_who_is_in_stays_in() -> None:
    inside = set(NAMES[:10])
    swapped = ranked([*NAMES[:9], NAMES[10], NAMES[9], *NAMES[11:]])
    assert chosen(rules(top=10), swapped, inside) == inside
    two_below = ranked([*NAMES[:9], NAMES[10], NAMES[11], NAMES[9], *NAMES[12:]])
    assert chosen(rules(top=10), two_below, inside) == {*NAMES[:9], NAMES[10]}
    well_above = ranked([NAMES[10], *NAMES[:10], *NAMES[11:]])
    assert chosen(rules(top=10), well_above, inside) == {*NAMES[:9], NAMES[10]}


def test_who_is_in_goes_out_a_fifth_below_the_volume() -> None:
    how = rules(min_quote_volume=100.0)
    volumes = dict.fromkeys(NAMES, 0.0) | {NAMES[0]: 99.0, NAMES[1]: 79.0, NAMES[2]: 100.0}
    assert chosen(how, volumes, set(NAMES[:2])) == {NAMES[0], NAMES[2]}
    assert chosen(how, volumes) == {NAMES[2]}


@given(
    st.lists(st.floats(0, 1e6), min_size=30, max_size=30),
    st.sets(st.sampled_from(NAMES)),
    st.integers(0, 30),
    st.floats(0, 1e6),
)
def test_a_second_look_at_the_same_changes_nothing(
    sizes: list[float], captured: set[str], top: int, least: float
) -> None:
    how, volumes = rules(top=top, min_quote_volume=least), dict(zip(NAMES, sizes, strict=True))
    once = chosen(how, volumes, captured)
    assert chosen(how, volumes, once) == once
    rich = [name for name in NAMES if volumes[name] >= least]
    assert len(once) <= (top or 30)
    assert len(once) >= min(len(rich), top or 30)


@given(st.lists(st.floats(0.9, 1.1), min_size=30, max_size=30), st.integers(10, 25))
def test_noise_of_a_place_throws_nobody_out(noise: list[float], top: int) -> None:
    """Volumes that differ by more than the noise but for the two at the border."""
    sizes = {name: 1000.0 * 2.0**-place for place, name in enumerate(NAMES)}
    sizes[NAMES[top]] = sizes[NAMES[top - 1]]
    inside = chosen(rules(top=top), sizes)
    volumes = {name: sizes[name] * n for name, n in zip(NAMES, noise, strict=True)}
    assert chosen(rules(top=top), volumes, inside) == inside


def test_include_and_exclude_win_over_everything() -> None:
    how = rules(top=1, min_quote_volume=1e9, include=[NAMES[5]], exclude=[NAMES[0]])
    assert chosen(how, ranked(NAMES), {NAMES[0]}) == {NAMES[5]}


def test_what_never_trades_again_is_out_though_it_is_included() -> None:
    over = contract("S00USDT", Standing.OVER)
    choice = choose(rules(include=["S00USDT"]), [over], {}, {"S00USDT"})["S00USDT"]
    assert not choice.captured
    missing = choose(rules(include=["S00USDT"]), [], {}, {"S00USDT"})["S00USDT"]
    assert not missing.captured
    assert "does not list it" in missing.reason


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"contract": "TRADIFI_PERPETUAL"}, "TRADIFI_PERPETUAL; universe.contract asks"),
        ({"quote": "USDC"}, "quoted in USDC; universe.quote asks for USDT"),
        ({"contract": ""}, "of no kind"),
    ],
)
def test_what_the_rules_are_not_about_is_out(more: dict[str, str], said: str) -> None:
    choice = choose(
        rules(quote="USDT"), [contract("AUSDT", Standing.TRADES, **more)], {}, {"AUSDT"}
    )["AUSDT"]
    assert not choice.captured
    assert said in choice.reason


@dataclass
class Doubt:
    """A list in which some of ten captured symbols are lost."""

    lost: int
    announced: int = 0
    hours: float | None = 1.0

    @property
    def doubted(self) -> bool:
        captured = NAMES[:10]
        looked = None if self.hours is None else 100 * HOUR_MS - int(self.hours * HOUR_MS)
        known = Known(captured, dict.fromkeys(captured[: self.announced], HOUR_MS), looked)
        return bool(not_believed(known, LISTED[self.lost :], 100 * HOUR_MS))


@pytest.mark.parametrize(
    ("case", "doubted"),
    [
        (Doubt(0), False),
        (Doubt(1), False),
        (Doubt(2), True),
        (Doubt(4, announced=3), False),
        (Doubt(4, hours=30), False),
        (Doubt(6, hours=30), True),
        (Doubt(6, hours=None), True),
    ],
)
def test_a_list_in_which_many_are_lost_at_once_is_not_believed(case: Doubt, doubted: bool) -> None:
    assert case.doubted is doubted


def test_an_empty_list_is_never_believed() -> None:
    assert not_believed(Known([], {}, None), [], 0)


def test_a_new_name_is_known_by_the_moment_of_its_first_listing() -> None:
    gone = contract("OLDUSDT", listed_ms=5)
    new = contract("NEWUSDT", listed_ms=5)
    other = contract("OTHERUSDT", listed_ms=6)
    assert renamed_to(gone, {"OLDUSDT"}, [new, other]) == "NEWUSDT"
    assert renamed_to(gone, {"OLDUSDT", "NEWUSDT"}, [new, other]) is None
    assert renamed_to(gone, {"OLDUSDT"}, [new, contract("THIRDUSDT", listed_ms=5)]) is None
