"""Words for people. Pure."""

from collections.abc import Sequence

_NAMED = 3


def shortened(symbols: Sequence[str]) -> str:
    """The first few of them by name, and how many more there are."""
    more = len(symbols) - _NAMED
    return ", ".join(symbols[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def symbols_counted(number: int) -> str:
    """`1 symbol`, `2 symbols`."""
    return f"{number} symbol{'' if number == 1 else 's'}"
