"""Errors of the settings in words: the key, the value, what is allowed, and where it was read.

Nothing is read here: the environment is handed in.
"""

import json
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, to_jsonable_python
from pydantic_settings import SettingsError

from spreadlake.config.settings import ENV_PREFIX, Settings

_Loc = tuple[int | str, ...]

_PLAIN_WORDS = {
    "named_tuple_type": 'a pair is a list of two symbols, such as ["BTCUSDT", "ETHUSDT"]',
    "list_type": "must be a list",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "string_type": "must be text",
    "model_type": "is a section of several keys, not one value",
    "dict_type": "is a table of several keys, not one value",
    "int_parsing_size": "must be a whole number, and not so large a one",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
}
_LIMITS = {
    "greater_than_equal": "must be greater than or equal to {ge}",
    "greater_than": "must be greater than {gt}",
    "less_than_equal": "must be less than or equal to {le}",
    "less_than": "must be less than {lt}",
    "too_short": "must have at least {min_length} item, not {actual_length}",
    "too_long": "must have at most {max_length} items, not {actual_length}",
    "literal_error": "must be {expected}",
}


def explain_invalid(
    error: ValidationError, given: set[str], path: Path | None, environment: Mapping[str, str]
) -> str:
    """One line for each wrong key; `given` are the top-level keys that the user wrote."""
    details = _tellable(error.errors(), given)
    lines = [f"{_source(d['loc'], path, environment)}: {_explain_one(d)}" for d in details]
    return "\n".join(dict.fromkeys(lines))


def explain_values(error: ValidationError) -> str:
    """The same of values that are of no file, in the words of the configuration."""
    return "\n".join(dict.fromkeys(map(_explain_one, error.errors())))


def explain_unreadable(error: SettingsError, environment: Mapping[str, str]) -> str:
    """A variable whose value is no JSON where a list or a table is needed."""
    match = re.search(r'field "(\w+)"', str(error))
    key = match[1] if match else ""
    start = f"{ENV_PREFIX}{key}".upper()
    for name, value in environment.items():
        if name.upper().startswith(start) and not _is_json(value):
            return (
                f"environment variable {name} = {value!r}: a list or a table is written as JSON, "
                f"such as {_as_json(name.upper().removeprefix(ENV_PREFIX).lower().split('__'))}"
            )
    return f"environment: {error}: {error.__cause__}"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _as_json(keys: list[str]) -> str:
    """The default of the key, as it would be written."""
    example: Any = Settings.model_construct()
    for key in keys:
        example = getattr(example, key, example)
    return json.dumps(to_jsonable_python(example, exclude_none=True))


def _source(loc: _Loc, path: Path | None, environment: Mapping[str, str]) -> str:
    keys = [part for part in loc if isinstance(part, str)]
    names = {name.upper(): name for name in environment}
    for depth in range(len(keys), 0, -1):
        variable = ENV_PREFIX + "__".join(keys[:depth]).upper()
        if variable in names:
            return f"environment variable {names[variable]}"
    return str(path) if path is not None else "the configuration"


def _tellable(details: list[ErrorDetails], given: set[str]) -> list[ErrorDetails]:
    """Without what follows from another mistake, or is of a branch the user did not mean."""
    lists = {d["loc"][:i] for d in details for i, part in enumerate(d["loc"]) if _is_list(part)}
    told = [
        d
        for d in details
        if not (_is_literal(d["loc"]) and d["loc"][:-1] in lists and isinstance(d["input"], list))
        and not (d["type"] == "list_type" and _is_list(d["loc"][-1]))
    ]
    # Keys that were not given take defaults that fit the others, and fail together with them.
    own = [d for d in told if not d["loc"] or d["loc"][0] in given]
    return own or told


def _is_list(part: int | str) -> bool:
    return isinstance(part, str) and part.startswith("list[")


def _is_literal(loc: _Loc) -> bool:
    return bool(loc) and isinstance(loc[-1], str) and loc[-1].startswith("literal[")


def _explain_one(details: ErrorDetails) -> str:
    key = _key(details["loc"])
    if details["type"] == "extra_forbidden":
        section, _, name = key.rpartition(".")
        fields = _fields_of(details["loc"][:-1])
        where = f"in [{section}]" if section else "at the top level"
        near = get_close_matches(name.lower(), fields, 1)
        return (
            f"unknown key {name!r} (value {details['input']!r}); "
            f"allowed {where}: {', '.join(fields)}{f'; did you mean {near[0]}?' if near else ''}"
        )
    if not key:
        return details["msg"].removeprefix("Value error, ")
    if details["type"] == "missing":
        in_a_pair = isinstance(details["input"], list)
        return f"{key}: {_PLAIN_WORDS['named_tuple_type'] if in_a_pair else 'is missing'}"
    return f"{key} = {details['input']!r}: {_in_plain_words(details)}"


def _in_plain_words(details: ErrorDetails) -> str:
    context = details.get("ctx", {})
    if _is_literal(details["loc"]) and context["expected"].startswith("'all'"):
        if details["loc"][0] == "symbols":
            if not isinstance(details["input"], str):
                return _PLAIN_WORDS["list_type"]
            return (
                'must be a list, such as ["BTCUSDT", "ETHUSDT", "SOLUSDT"] (written as JSON in '
                'the environment), or "all"'
            )
        screen = '"screen", ' if "screen" in context["expected"] else ""
        return f'must be {screen}"all" or a list of pairs, such as [["BTCUSDT", "ETHUSDT"]]'
    if context.get("field_type") == "NamedTuple":
        return _PLAIN_WORDS["named_tuple_type"]
    if details["type"] in _LIMITS:
        return _LIMITS[details["type"]].format(**context)
    message = details["msg"].removeprefix("Value error, ")
    return _PLAIN_WORDS.get(details["type"], message[:1].lower() + message[1:])


def _key(loc: _Loc) -> str:
    """`("alerts", 0, "pairs", "list[...]", 1)` → `alerts[0].pairs[1]`."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
        elif not part.startswith(("list[", "literal[", "function-", "call[")):
            text += f".{part}" if text else part
    return text


def _fields_of(loc: _Loc) -> list[str]:
    model: type[BaseModel] = Settings
    for part in loc:
        if isinstance(part, str) and part in model.model_fields:
            annotation: Any = model.model_fields[part].annotation
            inner = getattr(annotation, "__args__", (annotation,))[0]
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                model = inner
    return list(model.model_fields)
