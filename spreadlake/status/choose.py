"""Which series of pair analytics a user means, out of those that a lake has. Pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from spreadlake.errors import InputError


class SeriesKey(NamedTuple):
    """One series, in the order of the table's key."""

    pair: str
    timeframe: str
    window: int
    lookback: int


def choose_series(
    stored: Sequence[SeriesKey],
    pair: str | None = None,
    timeframe: str | None = None,
    window: int | None = None,
    lookback: int | None = None,
) -> SeriesKey:
    """The series that is meant, which need not be a stored one; what is None is filled in.

    That is 1s bars, a window of 60 and a lookback of 300, unless the lake's stored series have
    only another. Raises InputError that names what there is for a choice that is open.
    """
    left = list(stored)
    values: list[object] = []
    for field, wanted, usual in (
        ("pair", pair, None),
        ("timeframe", timeframe, "1s"),
        ("window", window, 60),
        ("lookback", lookback, 300),
    ):
        value = wanted or _plain_choice(
            field, usual, dict.fromkeys(getattr(k, field) for k in left)
        )
        left = [key for key in left if getattr(key, field) == value] or left
        values.append(value)
    return SeriesKey(*values)  # type: ignore[arg-type]


def _plain_choice(field: str, usual: object, known: Iterable[object]) -> object:
    choices = list(known)
    if usual is not None and (usual in choices or not choices):
        return usual
    if len(choices) == 1:
        return choices[0]
    there = f": there is {', '.join(map(str, choices))}" if choices else ", e.g. BTCUSDT/ETHUSDT"
    raise InputError(f"name a {field} with --{field}{there}")
