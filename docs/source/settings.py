"""The settings as tables, from their models."""

import json
from collections.abc import Iterator
from typing import Any, get_args

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from docs.source.regions import table
from spreadlake.config.settings import ENV_PREFIX, Settings

_HEAD = ("key", "default", "allowed", "what it means")
_WORDS = {Ge: "from {}", Gt: "above {}", Le: "to {}", Lt: "below {}"}


def settings_tables() -> str:
    """A table of the top level, then one for each section."""
    fields = Settings.model_fields
    plain = [_row(name, field, field.default) for name, field in fields.items() if _is_plain(field)]
    parts = [table(_HEAD, plain)]
    for name, field in fields.items():
        if not _is_plain(field):
            parts += _section(name, field.default)
    return "\n\n".join(parts)


def _is_plain(field: FieldInfo) -> bool:
    first = field.default[0] if isinstance(field.default, list) else field.default
    return not isinstance(first, BaseModel)


def _section(name: str, default: Any) -> Iterator[str]:
    repeated = isinstance(default, list)
    section = default[0] if repeated else default
    title = f"[[{name}]]" if repeated else f"[{name}]"
    variable = f"{ENV_PREFIX}{name.upper()}" + ("" if repeated else "__…")
    yield f"### `{title}`"
    yield f"{' '.join((type(section).__doc__ or '').split())} In the environment: `{variable}`."
    fields = type(section).model_fields
    yield table(_HEAD, [_row(key, fields[key], getattr(section, key)) for key in fields])


def _row(key: str, field: FieldInfo, default: Any) -> tuple[str, str, str, str]:
    shown = "unset" if default is None else f"`{_as_text(default)}`"
    if field.is_required():
        shown = "required"
    return f"`{key}`", shown, _allowed(field), field.description or ""


def _as_text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps(to_jsonable_python(value), ensure_ascii=False)


def _allowed(field: FieldInfo) -> str:
    choices = get_args(field.annotation)
    if choices and all(isinstance(choice, str) for choice in choices):
        return " or ".join(f"`{choice}`" for choice in choices)
    bounds = [*field.metadata, *(m for c in choices for m in getattr(c, "__metadata__", ()))]
    bounds += [b for m in bounds if isinstance(m, FieldInfo) for b in m.metadata]
    return " ".join(
        words.format(f"{limit:g}")
        for kind, words in _WORDS.items()
        for bound in bounds
        if isinstance(bound, kind)
        for limit in [getattr(bound, kind.__name__.lower())]
    )
