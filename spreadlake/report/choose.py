"""Which series of pair analytics a user means, out of those that a lake has. Pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from spreadlake.errors import InputError

__all__ = ["SeriesKey", "choose_series"]


class SeriesKey(NamedTuple):
    """One series, in the order of the table's key."""

    pair: str
    timeframe: str
    window: int
    lookback: int


def choose_series(
    available: Sequence[SeriesKey],
    pair: str | None = None,
    timeframe: str | None = None,
    window: int | None = None,
    lookback: int | None = None,
) -> SeriesKey:
    """The one series that fits; what is None is filled in where there is a plain choice.

    That is 1s bars, a window of 60 and a lookback of 300 where the lake has them, else the only
    one it has. Raises InputError that names what there is for a value that is not there, and for
    a choice that is open.
    """
    left = list(available)
    if not left:
        raise InputError("the lake has no pair analytics yet; run spreadlake analyse on it")
    for field, wanted, usual in (
        ("pair", pair, None),
        ("timeframe", timeframe, "1s"),
        ("window", window, 60),
        ("lookback", lookback, 300),
    ):
        value = _pick(field, wanted, usual, dict.fromkeys(getattr(key, field) for key in left))
        left = [key for key in left if getattr(key, field) == value]
    return left[0]


def _pick(field: str, wanted: object, usual: object, known: Iterable[object]) -> object:
    choices = list(known)
    if wanted is not None:
        if wanted not in choices:
            raise InputError(
                f"{field} {wanted} is not in the lake; there is {_listed(choices)}"
                f"{_hint(wanted, choices)}"
            )
        return wanted
    if usual in choices:
        return usual
    if len(choices) == 1:
        return choices[0]
    raise InputError(f"name a {field} with --{field}: there is {_listed(choices)}")


def _hint(wanted: object, choices: Sequence[object]) -> str:
    turned = "/".join(reversed(str(wanted).split("/")))
    return f" (did you mean {turned}?)" if turned != wanted and turned in choices else ""


def _listed(choices: Sequence[object]) -> str:
    return ", ".join(map(str, choices)) or "none"
