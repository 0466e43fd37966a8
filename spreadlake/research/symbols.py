"""Symbols as they are asked for in Python. Pure."""

from collections.abc import Sequence

from spreadlake.errors import InputError

Symbols = str | Sequence[str]
"""One name, or several."""


def names_of(symbols: Symbols | None) -> list[str] | None:
    """A list of them; None for all. InputError for none at all, and for what is no name."""
    if symbols is None or isinstance(symbols, str):
        return None if symbols is None else [symbols]
    try:
        names = list(symbols)
    except TypeError:
        names = [symbols]  # type: ignore[list-item] # it is told what it is
    if not names:
        raise InputError("no symbol is named; leave symbols out for all of them")
    if odd := [name for name in names if not isinstance(name, str)]:
        raise InputError(f"{odd[0]!r} is no symbol; name them as texts, e.g. 'BTCUSDT'")
    return names


def chosen_of(symbols: Symbols | None) -> tuple[str, ...] | None:
    """Each once, by name, as a screen chooses among them; None for all."""
    names = names_of(symbols)
    return None if names is None else tuple(sorted(set(names)))
