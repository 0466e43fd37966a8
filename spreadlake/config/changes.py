"""Which keys of the file an edit changed."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import to_jsonable_python

from spreadlake.config.settings import Settings


def changed_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Keys such as `symbols` and `exporter.port` whose values differ, in the order of the settings.

    Both are what a file says; a key that it leaves out has its default.
    """
    defaults = to_jsonable_python(Settings.model_construct())
    old, new = (dict(_flat({**defaults, **values}, defaults)) for values in (before, after))
    return [key for key in dict.fromkeys([*new, *old]) if old.get(key) != new.get(key)]


def _flat(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        default = defaults.get(name)
        if isinstance(value, dict) and isinstance(default, dict):
            yield from ((f"{name}.{key}", item) for key, item in {**default, **value}.items())
        else:
            yield name, value
