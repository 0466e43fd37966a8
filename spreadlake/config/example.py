"""Writes `spreadlake.example.toml` out of the settings: every key, its default, what it means.

python -m spreadlake.config.example > spreadlake.example.toml
"""

import json
import textwrap
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from spreadlake.config.settings import Settings
from spreadlake.pairs import Pair

_WIDTH = 100

_HEAD = """\
Every setting of spreadlake with its default. Copy this file to spreadlake.toml and keep what you
change; what is left out has its default. The environment overrides the file: SPREADLAKE_ and the
key in upper case, two underscores between section and key, lists as JSON:

SPREADLAKE_EXPORTER__PORT=9465
SPREADLAKE_SYMBOLS='["BTCUSDT", "ETHUSDT"]'"""


def example_toml() -> str:
    """The text of the example file."""
    lines = [f"# {line}".rstrip() for line in _HEAD.splitlines()]
    fields = Settings.model_fields
    for name, field in fields.items():
        if not _is_section(field.default):
            lines += ["", *_entry(name, field, field.default)]
    for name, field in fields.items():
        if isinstance(field.default, BaseModel):
            lines += ["", *_comment(type(field.default).__doc__), f"[{name}]"]
            lines += _entries(field.default)
        elif _is_section(field.default):
            for item in field.default:
                lines += ["", *_comment(type(item).__doc__), f"[[{name}]]", *_entries(item)]
    return "\n".join(lines) + "\n"


def _is_section(default: Any) -> bool:
    if isinstance(default, list):
        return bool(default) and isinstance(default[0], BaseModel)
    return isinstance(default, BaseModel)


def _entries(section: BaseModel) -> Iterator[str]:
    for name, field in type(section).model_fields.items():
        yield from _entry(name, field, getattr(section, name))


def _entry(name: str, field: FieldInfo, value: Any) -> Iterator[str]:
    yield from _comment(field.description)
    if value is not None:
        yield f"{name} = {_toml(value)}"
    else:
        yield f"#{name} = {_toml((field.examples or [''])[0])}"


def _comment(text: str | None) -> list[str]:
    lines = textwrap.wrap(" ".join((text or "").split()), _WIDTH - 2)
    return [f"# {line}" for line in lines]


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | Pair):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)


if __name__ == "__main__":
    print(example_toml(), end="")  # noqa: T201 the text is what the command is for
