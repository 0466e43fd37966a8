"""Chooses who is captured, by rules, of what the exchange lists. Pure."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from spreadlake.config.universe import UniverseSettings
from spreadlake.pairs import check_symbol, is_coin_margined
from spreadlake.venue import Listed, Standing

_STAYS_FROM = 0.8  # of the least volume: who is in goes out below it
_BORDER_SHARE = 10  # of `top`: a tenth of it on either side is the border
_LOST_SHARE = 10  # more than a tenth of those captured are not lost at once without a word
_FORGOTTEN_MS = 86_400_000  # after which more may have become of them
OPTIONS = "the rules of [universe]"


class Choice(NamedTuple):
    """Whether a symbol is captured, why, and its rank by volume among those that compete."""

    captured: bool
    reason: str
    rank: int | None = None


class Ranked(NamedTuple):
    """A contract that competes; rank 1 has the greatest volume."""

    rank: int
    symbol: str
    volume: float


def choose(
    rules: UniverseSettings,
    listed: Sequence[Listed],
    volumes: Mapping[str, float],
    captured: Collection[str],
) -> dict[str, Choice]:
    """A choice for every contract that is `listed`, and for those to be included.

    `volumes` are quote volumes of the last 24 hours, `captured` who is captured up to now: who is
    in stays in at the border of the rules, so that nobody goes in and out every hour.
    """
    included, excluded = set(rules.include), set(rules.exclude)
    choices: dict[str, Choice] = {
        symbol: Choice(False, "universe.include names it, and the exchange does not list it")
        for symbol in rules.include
    }
    competing: list[Listed] = []
    for contract in listed:
        symbol = contract.symbol
        if symbol in excluded:
            choices[symbol] = Choice(False, "universe.exclude names it")
        elif contract.standing is Standing.OVER:
            choices[symbol] = Choice(False, f"it never trades again (status {contract.status})")
        elif symbol in included:
            choices[symbol] = Choice(True, "universe.include names it")
        elif unfit := _unfit(rules, contract):
            choices[symbol] = Choice(False, unfit)
        else:
            competing.append(contract)
    return choices | _by_volume(rules, competing, volumes, captured)


def fits_any(rules: UniverseSettings, listed: Sequence[Listed]) -> bool:
    """Whether any contract could ever be chosen, whatever its volume."""
    return bool(rules.include) or any(not _unfit(rules, contract) for contract in listed)


def needs_volumes(rules: UniverseSettings) -> bool:
    """Whether nobody can be chosen without volumes."""
    return rules.top > 0 or rules.min_quote_volume > 0


def _unfit(rules: UniverseSettings, contract: Listed) -> str:
    """Why a contract is none of those that the rules are about; empty where it is."""
    if contract.contract not in rules.contract:
        kind = contract.contract or "of no kind that is told"
        return f"its contract is {kind}; universe.contract asks for {_all_of(rules.contract)}"
    if rules.quote and contract.quote not in rules.quote:
        return f"it is quoted in {contract.quote}; universe.quote asks for {_all_of(rules.quote)}"
    try:
        check_symbol(contract.symbol)
    except ValueError as error:
        return str(error)
    if is_coin_margined(contract.symbol):
        return "it is a COIN-M contract, whose quantities are contracts and not coins"
    return ""


def _by_volume(
    rules: UniverseSettings,
    competing: Sequence[Listed],
    volumes: Mapping[str, float],
    captured: Collection[str],
) -> dict[str, Choice]:
    by_volume = sorted(competing, key=lambda one: (-volumes.get(one.symbol, 0.0), one.symbol))
    ranked = [
        Ranked(rank, contract.symbol, volumes.get(contract.symbol, 0.0))
        for rank, contract in enumerate(by_volume, 1)
    ]
    least, stays = rules.min_quote_volume, rules.min_quote_volume * _STAYS_FROM
    rich = [one for one in ranked if one.volume >= (stays if one.symbol in captured else least)]
    seated = _seated(rules.top, rich, captured)
    choices: dict[str, Choice] = {}
    for one in ranked:
        if one.symbol in seated:
            choices[one.symbol] = Choice(True, _why_in(rules, one), one.rank)
        elif one.volume < least:
            reason = f"its 24 h volume of {one.volume:,.0f} is below the {least:,.0f} asked for"
            choices[one.symbol] = Choice(False, reason, one.rank)
        else:
            reason = f"it is number {one.rank} by 24 h volume, and universe.top is {rules.top}"
            choices[one.symbol] = Choice(False, reason, one.rank)
    return choices


def _seated(top: int, rich: Sequence[Ranked], captured: Collection[str]) -> set[str]:
    """Who has one of the `top` seats.

    Those well above the border first, then at the border those who are in, then the others.
    """
    if not top:
        return {one.symbol for one in rich}
    border = max(1, top // _BORDER_SHARE)

    def turn(one: Ranked) -> tuple[int, int]:
        if one.rank <= top - border:
            return 0, one.rank
        return (1 if one.symbol in captured and one.rank <= top + border else 2), one.rank

    return {one.symbol for one in sorted(rich, key=turn)[:top]}


def _why_in(rules: UniverseSettings, one: Ranked) -> str:
    if one.volume < rules.min_quote_volume:
        least = rules.min_quote_volume * _STAYS_FROM
        return f"it stays in at the border: it goes out below a 24 h volume of {least:,.0f}"
    if not rules.top:
        return OPTIONS
    if one.rank > rules.top:
        return f"it stays in at the border: number {one.rank} by 24 h volume of {rules.top}"
    return f"number {one.rank} by 24 h volume of {rules.top}"


def _all_of(names: Sequence[str]) -> str:
    return " and ".join(names)


class Known(NamedTuple):
    """What was known before a look: who is captured, whose end was announced for when (Unix ms),
    and when the exchange's list was last read."""

    captured: Collection[str]
    deliveries: Mapping[str, int]
    looked_ms: int | None


def not_believed(known: Known, listed: Sequence[Listed], now_ms: int) -> str:
    """Why a list cannot be the whole of it, in a few words; empty where it can.

    An answer that is cut off must not throw out those that are captured. What was announced to end,
    and a look after a day and more, are no reason for doubt; half of all is one at any time.
    """
    if not listed:
        return "it is empty"
    standings = {contract.symbol: contract.standing for contract in listed}
    lost = [
        symbol
        for symbol in known.captured
        if standings.get(symbol, Standing.OVER) is Standing.OVER
        and known.deliveries.get(symbol, now_ms + 1) > now_ms
    ]
    recent = known.looked_ms is not None and now_ms - known.looked_ms < _FORGOTTEN_MS
    most = len(known.captured) // (_LOST_SHARE if recent else 2)
    if len(lost) <= max(1, most):
        return ""
    return f"{len(lost)} of the {len(known.captured)} captured symbols are gone from it at once"


def volumes_not_believed(
    captured: Collection[str], listed: Sequence[Listed], volumes: Mapping[str, float]
) -> str:
    """Why 24 h volumes cannot be all of them, in a few words; empty where they can."""
    if not volumes:
        return "they are empty"
    trading = [c.symbol for c in listed if c.standing is Standing.TRADES and c.symbol in captured]
    without = [symbol for symbol in trading if not volumes.get(symbol)]
    if len(without) <= max(1, len(trading) // _LOST_SHARE):
        return ""
    return f"{len(without)} of {len(trading)} captured symbols that trade have none"


def renamed_to(gone: Listed, before: Collection[str], listed: Sequence[Listed]) -> str | None:
    """The new name of a contract that is listed no more: of those that came, the one that was first
    listed at the same moment in the same asset; None where there is none, or more than one."""
    same = [
        one.symbol
        for one in listed
        if one.symbol not in before
        and gone.listed_ms is not None
        and (one.listed_ms, one.quote, one.contract) == (gone.listed_ms, gone.quote, gone.contract)
    ]
    return same[0] if len(same) == 1 else None
