"""What a condition on a frame says of times and symbols, so that the rest is not read. Pure.

A condition is looked at as polars writes it down. What is not understood restricts nothing, and
the whole condition is applied to what was read in any case: so a polars that writes it another way
costs time, and never a row.
"""

import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

EVER = (-(2**62), 2**62)

# Microseconds a unit, as a fraction.
_UNITS = {"Milliseconds": (1000, 1), "Microseconds": (1, 1), "Nanoseconds": (1, 1000)}
# µs by which a moment may be off where units differ: times are rounded to compare them.
_ROUNDED = 1000
_TURNED = {"Gt": "Lt", "GtEq": "LtEq", "Lt": "Gt", "LtEq": "GtEq", "Eq": "Eq"}


def time_bounds(predicate: pl.Expr | None) -> tuple[int, int]:
    """[low, high) in Unix µs outside of which no `time` meets the condition; EVER: any may."""
    low, high = EVER
    for part in _parts_of(predicate):
        for one in (_compared(part), _between(part)):
            low, high = max(low, one[0]), min(high, one[1])
    return low, high


def symbols_meeting(predicate: pl.Expr | None, symbols: Sequence[str]) -> list[str]:
    """Those of the symbols that may meet it, in their order."""
    left = pl.DataFrame({"symbol": list(symbols)}, schema={"symbol": pl.String})
    for part in _parts_of(predicate):
        try:
            one = pl.Expr.deserialize(io.BytesIO(json.dumps(part).encode()), format="json")
            if {*one.meta.root_names()} == {"symbol"}:
                left = left.filter(one)
        except (pl.exceptions.PolarsError, ValueError, TypeError):
            continue
    return left["symbol"].to_list()


def _parts_of(predicate: pl.Expr | None) -> Iterator[dict[str, Any]]:
    """The conditions that must all hold, as polars writes them."""
    if predicate is None:
        return
    try:
        whole = json.loads(predicate.meta.serialize(format="json"))
    except (pl.exceptions.PolarsError, ValueError, TypeError):
        return
    waiting = [whole]
    while waiting:
        part = waiting.pop()
        both = part.get("BinaryExpr") if isinstance(part, dict) else None
        if isinstance(both, dict) and both.get("op") == "And":
            waiting += [both.get("left"), both.get("right")]
        elif isinstance(part, dict):
            yield part


def _compared(part: dict[str, Any]) -> tuple[int, int]:
    """Of `time < moment` and the like."""
    binary = part.get("BinaryExpr")
    if not isinstance(binary, dict):
        return EVER
    left, op, right = binary.get("left"), str(binary.get("op")), binary.get("right")
    if not _is_time(left):
        left, op, right = right, _TURNED.get(op, ""), left
    moment = _moment(right)
    if not _is_time(left) or moment is None:
        return EVER
    at, after = moment
    return {
        "Gt": (at + 1, EVER[1]),
        "GtEq": (at, EVER[1]),
        "Lt": (EVER[0], after - 1),
        "LtEq": (EVER[0], after),
        "Eq": (at, after),
    }.get(op, EVER)


def _between(part: dict[str, Any]) -> tuple[int, int]:
    """Of `time.is_between(low, high)`."""
    call = part.get("Function")
    if not isinstance(call, dict) or "IsBetween" not in json.dumps(call.get("function")):
        return EVER
    given = call.get("input")
    if not isinstance(given, list) or len(given) != 3 or not _is_time(given[0]):
        return EVER
    first, last = _moment(given[1]), _moment(given[2])
    return (first[0] if first else EVER[0]), (last[1] if last else EVER[1])


def _is_time(part: object) -> bool:
    return part == {"Column": "time"}


def _moment(part: object) -> tuple[int, int] | None:
    """[low, high) in µs around the instant of a literal, itself inside; None for anything else."""
    try:
        value, unit, _ = part["Literal"]["Scalar"]["Datetime"]  # type: ignore[index]
        many, of = _UNITS[unit]
        at = int(value) * many // of
    except (KeyError, TypeError, ValueError):
        return None
    rounded = 0 if unit == "Microseconds" else _ROUNDED
    return at - rounded, at + 1 + rounded
