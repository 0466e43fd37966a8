"""Reads the settings; every mistake is told with the key, the value and what is allowed."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError

from spreadlake.config.settings import ENV_PREFIX, Settings
from spreadlake.errors import ConfigError

__all__ = ["DEFAULT_FILE", "OTHER_VARIABLES", "find_config", "load_settings"]

DEFAULT_FILE = Path("spreadlake.toml")

# Variables with the same prefix that are not settings: the lake's folder, and what
# Grafana's provisioning takes.
OTHER_VARIABLES = frozenset(
    ENV_PREFIX + name
    for name in ("DATA", "DASHBOARDS", "EMAIL_TO", "SLACK_URL", "WEBHOOK_URL", "SUPERVISED")
)


def find_config(given: Path | None) -> Path | None:
    """The file to read: the given one, else ./spreadlake.toml where there is one."""
    if given is not None:
        return given
    return DEFAULT_FILE if DEFAULT_FILE.exists() else None


def load_settings(path: Path | None, **defaults: Any) -> Settings:
    """Settings from `defaults`, then the file at `path`, then the environment.

    Raises ConfigError naming the key, the value and what is allowed.
    """
    _refuse_unknown_variables(os.environ)
    values = {**defaults, **(_read_toml(path) if path is not None else {})}
    try:
        return Settings(**values)
    except ValidationError as error:
        raise ConfigError(_explain(error, path)) from None
    except SettingsError as error:
        raise ConfigError(f"environment: {error}: {error.__cause__}") from None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"configuration {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration {path} is not valid TOML: {error}") from None


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    for name in environment:
        if not name.startswith(ENV_PREFIX) or name in OTHER_VARIABLES:
            continue
        key = name.removeprefix(ENV_PREFIX).split("__")[0].lower()
        if key not in Settings.model_fields:
            raise ConfigError(
                f"environment variable {name} is not a setting; "
                f"settings are {', '.join(sorted(Settings.model_fields))}, "
                f"written as {ENV_PREFIX}SYMBOLS or {ENV_PREFIX}EXPORTER__PORT"
            )


def _explain(error: ValidationError, path: Path | None) -> str:
    source = str(path) if path is not None else "the configuration"
    lines = [_explain_one(details) for details in _tellable(error.errors())]
    return "\n".join(f"{source}: {line}" for line in dict.fromkeys(lines))


def _tellable(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """For a key that may be "all" or a list, only the branch that the user seems to have meant."""
    lists = {d["loc"][:i] for d in details for i, part in enumerate(d["loc"]) if _is_list(part)}
    return [
        d
        for d in details
        if not (_is_literal(d["loc"]) and d["loc"][:-1] in lists and isinstance(d["input"], list))
    ]


def _is_list(part: int | str) -> bool:
    return isinstance(part, str) and part.startswith("list[")


def _is_literal(loc: tuple[int | str, ...]) -> bool:
    return bool(loc) and isinstance(loc[-1], str) and loc[-1].startswith("literal[")


def _explain_one(details: ErrorDetails) -> str:
    key = _key(details["loc"])
    if details["type"] == "extra_forbidden":
        section, _, name = key.rpartition(".")
        allowed = ", ".join(_fields_of(details["loc"][:-1]))
        where = f"in [{section}]" if section else "at the top level"
        return f"unknown key {name!r} (value {details['input']!r}); allowed {where}: {allowed}"
    message = details["msg"].removeprefix("Value error, ")
    if not key:
        return message
    if details["type"] == "missing":
        return f"{key}: is missing"
    return f"{key} = {details['input']!r}: {message}"


def _key(loc: tuple[int | str, ...]) -> str:
    """`("alerts", 0, "pairs", "list[...]", 1)` → `alerts[0].pairs[1]`."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
        elif not part.startswith(("list[", "literal[", "function-", "call[")):
            text += f".{part}" if text else part
    return text


def _fields_of(loc: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Settings
    for part in loc:
        if isinstance(part, str) and part in model.model_fields:
            annotation = model.model_fields[part].annotation
            inner = getattr(annotation, "__args__", (annotation,))[0]
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                model = inner
    return list(model.model_fields)
