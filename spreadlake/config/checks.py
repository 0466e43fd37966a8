"""What several keys of the configuration are checked for, and how it is told. Pure."""

from collections.abc import Hashable, Sequence

from spreadlake.pairs import Pair

_MOST_LISTED = 30  # of what a message says is allowed


def no_repeats(key: str, values: Sequence[Hashable]) -> None:
    """ValueError where a value is there twice."""
    seen: set[Hashable] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{key}: {value} is there twice; name it once")
        seen.add(value)


def no_reverses(pairs: Sequence[Pair]) -> None:
    """ValueError where a pair is there both ways round."""
    named = set(pairs)
    for pair in pairs:
        if (turned := Pair(pair.b, pair.a)) in named:
            raise ValueError(
                f"pairs: {turned.name} is {pair.name} the other way round; name one of the two, "
                "with the leg first that is hedged by the other"
            )


def not_computed(rule: str, key: str, value: object, known: Sequence[object]) -> str:
    """What is wrong where a rule watches what no series is of."""
    return f"alerts: rule {rule!r} watches {what_is_computed(key, value, known)}"


def what_is_computed(key: str, value: object, known: Sequence[object]) -> str:
    """That a value of a series is none of the `known` ones, which it names."""
    computed = listed([choice for choice in known if choice is not None]) or "none"
    return f"{key} {value}, which is not computed; computed are {computed}"


def listed(values: Sequence[object]) -> str:
    """Values in a message; of many the first ones."""
    more = len(values) - _MOST_LISTED
    listed = ", ".join(map(str, values[:_MOST_LISTED]))
    return f"{listed} and {more} more" if more > 0 else listed
