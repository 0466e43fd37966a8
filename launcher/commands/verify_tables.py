"""What came of a comparison with dumps, as text for people and as JSON. Pure."""

import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from launcher.commands.output import plain_console
from spreadlake.times import iso_utc
from spreadlake.words import count

if TYPE_CHECKING:
    from importer.compare import Difference, HourComparison
    from importer.verify import Verified

_WIDTH = 160
_HOURS = 48  # of all files; JSON has them all
_WHY = {
    "not captured": "before the lake began, or after it ended",
    "not imported": "between the imported files",
    "lost": "recorded as lost",
    "open": "waiting for repair",
    "file gone": "in a file that is gone or damaged",
    "unexplained": "though the lake says that it has them",
}


def text_of(found: Sequence["Verified"]) -> Iterator[str]:
    """A line for each file, a table of the hours that differ, and the first trades that do."""
    for one in found:
        yield _summary(one) + "\n"
        yield from (f"  {text}\n" for text in one.unreadable)
    hours = [(one.dump.symbol, hour) for one in found for hour in one.hours if _differs(hour)]
    if hours:
        yield _table(hours[:_HOURS])
        if len(hours) > _HOURS:
            yield f"{count(len(hours) - _HOURS, 'hour')} more; --format json has all\n"
    yield from (_example(one, each) for one in found for each in one.examples)


def json_of(found: Sequence["Verified"], differ: bool) -> Iterator[str]:
    """One object: whether all is equal, the files, and every hour that differs."""
    whole = {
        "equal": not differ,
        "files": [_file(one) for one in found],
        "hours": [
            {"symbol": one.dump.symbol, "time": _hour(hour.hour_ms), **_numbers([hour])}
            for one in found
            for hour in one.hours
            if _differs(hour)
        ],
        "examples": [
            {
                "symbol": one.dump.symbol,
                "time": _hour(each.hour_ms),
                "dump": each.dump,
                "lake": each.lake,
            }
            for one in found
            for each in one.examples
        ],
    }
    yield json.dumps(whole, indent=1, allow_nan=False) + "\n"


def _file(one: "Verified") -> dict[str, Any]:
    return {
        "file": str(one.dump.path),
        "symbol": one.dump.symbol,
        "first": str(one.dump.first),
        "last": str(one.dump.last),
        "in_the_lake": one.captured,
        "unreadable": list(one.unreadable),
        **_numbers(one.hours),
    }


def _numbers(hours: Sequence["HourComparison"]) -> dict[str, Any]:
    missing, values = _missing(hours), sum((hour.values for hour in hours), Counter[str]())
    return {
        "dump": sum(hour.dump for hour in hours),
        "lake": sum(hour.lake for hour in hours),
        "equal": sum(hour.equal for hour in hours),
        "missing_here": missing.total(),
        "missing_here_by_reason": {name.replace(" ", "_"): n for name, n in missing.items()},
        "missing_there": sum(hour.extra for hour in hours),
        "different": sum(hour.different for hour in hours),
        "different_by_column": dict(values),
    }


def _missing(hours: Sequence["HourComparison"]) -> Counter[str]:
    found: Counter[str] = Counter()
    for hour in hours:
        found.update(hour.missing)
    return found


def _differs(hour: "HourComparison") -> bool:
    return bool(hour.missing or hour.extra or hour.different)


def _summary(one: "Verified") -> str:
    numbers = _numbers(one.hours)
    name = one.dump.path.name
    if not one.captured:
        return f"{name}: {one.dump.symbol} is not in the lake; {count(numbers['dump'], 'trade')}"
    parts = [f"{numbers['equal']:,} of {count(numbers['dump'], 'trade')} equal"]
    for reason, n in _missing(one.hours).items():
        parts.append(f"{n:,} missing here ({_WHY[reason]})")
    if numbers["missing_there"]:
        parts.append(f"{numbers['missing_there']:,} missing there")
    if numbers["different"]:
        parts.append(f"{numbers['different']:,} different ({_columns(one.hours)})")
    return f"{name}: {', '.join(parts)}"


def _columns(hours: Sequence["HourComparison"]) -> str:
    values = sum((hour.values for hour in hours), Counter[str]())
    return ", ".join(f"{name} {n:,}" for name, n in values.items())


def _table(hours: Sequence[tuple[str, "HourComparison"]]) -> str:
    table = Table(box=None, pad_edge=False)
    table.add_column("symbol")
    table.add_column("hour")
    for name in ("dump", "lake", "missing here", "missing there", "different"):
        table.add_column(name, justify="right")
    table.add_column("why")
    for symbol, hour in hours:
        numbers = (hour.dump, hour.lake, hour.missing.total(), hour.extra, hour.different)
        why = [f"{reason} {n:,}" for reason, n in hour.missing.items()]
        why += [f"{name} {n:,}" for name, n in hour.values.items()]
        table.add_row(symbol, _hour(hour.hour_ms), *(f"{n:,}" for n in numbers), ", ".join(why))
    text = io.StringIO()
    plain_console(text, _WIDTH).print(table)
    return "".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())


def _example(one: "Verified", each: "Difference") -> str:
    mine, theirs = each.dump, each.lake
    known = mine or theirs or {}
    sides = f"dump {_values(mine)}; lake {_values(theirs)}"
    return f"{one.dump.symbol} trade {known['trade_id']}: {sides}\n"


def _values(row: dict[str, Any] | None) -> str:
    if row is None:
        return "nothing"
    return ", ".join(f"{name} {row[name]}" for name in row if name != "trade_id")


def _hour(hour_ms: int) -> str:
    return iso_utc(hour_ms // 1000)
