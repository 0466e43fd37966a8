"""Types in the file: TOML has numbers and booleans of its own, so text is none of them.

In the environment everything is text, and a number written there is a number.
"""

import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from spreadlake.config.settings import Settings


def wrong_types(values: Mapping[str, Any]) -> list[str]:
    """A sentence for each value of the file that only looks like what is asked for."""
    return list(_in_model(Settings, values, ""))


def _in_model(model: type[BaseModel], values: Any, prefix: str) -> Iterator[str]:
    if not isinstance(values, dict):
        return
    for name, value in values.items():
        if name in model.model_fields:
            yield from _in_value(model.model_fields[name].annotation, value, f"{prefix}{name}")


def _in_value(wanted: Any, value: Any, key: str) -> Iterator[str]:
    kinds = [kind for kind in _alternatives(wanted) if kind is not type(None)]
    if isinstance(value, list):
        yield from _in_items(kinds, list, [(f"{key}[{i}]", item) for i, item in enumerate(value)])
    elif isinstance(value, dict):
        yield from _in_items(kinds, dict, [(f"{key}.{name}", item) for name, item in value.items()])
        for model in filter(_is_model, kinds):
            yield from _in_model(model, value, f"{key}.")
    elif len(kinds) == 1 and (sentence := _mistaken(kinds[0], value)):
        yield f"{key} = {value!r}: {sentence}"


def _in_items(kinds: list[Any], container: type, items: list[tuple[str, Any]]) -> Iterator[str]:
    for kind in kinds:
        if get_origin(kind) is container:
            for key, item in items:
                yield from _in_value(get_args(kind)[-1], item, key)


def _mistaken(kind: Any, value: Any) -> str | None:
    if kind in (int, float) and isinstance(value, str):
        if _is_number(value):
            return f"must be a number, without quotes: {value.strip()}"
        return None  # told by who reads it as a number
    if kind in (int, float) and isinstance(value, bool):
        return "must be a number, not true or false"
    if kind is bool and not isinstance(value, bool):
        return "must be true or false, without quotes"
    return None


def _alternatives(annotation: Any) -> Iterator[Any]:
    """`Annotated[X, ...]` → X; a union → each of its types."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from _alternatives(part)
    else:
        yield annotation


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
