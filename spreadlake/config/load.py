"""Reads the settings; every mistake is told with the key, the value and what is allowed."""

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from spreadlake.config.explain import explain_invalid, explain_unreadable
from spreadlake.config.settings import ENV_PREFIX, Settings
from spreadlake.errors import ConfigError

__all__ = ["DEFAULT_FILE", "OTHER_VARIABLES", "find_config", "load_settings"]

DEFAULT_FILE = Path("spreadlake.toml")

# Variables with the same prefix that are not settings: the lake's folder, and what
# Grafana's provisioning takes.
OTHER_VARIABLES = frozenset(
    ENV_PREFIX + name
    for name in (
        "DATA",
        "DASHBOARDS",
        "EMAIL_TO",
        "SLACK_URL",
        "WEBHOOK_URL",
        "NOTIFIER",
        "SUPERVISED",
    )
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
        given = {*values, *_keys_of(os.environ)}
        raise ConfigError(explain_invalid(error, given, path, os.environ)) from None
    except SettingsError as error:
        raise ConfigError(explain_unreadable(error, os.environ)) from None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"configuration {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration {path} is not valid TOML: {error}") from None


def _keys_of(environment: Mapping[str, str]) -> set[str]:
    return {_top_level_key(name) for name in environment if name.upper().startswith(ENV_PREFIX)}


def _top_level_key(name: str) -> str:
    return name.upper().removeprefix(ENV_PREFIX).split("__")[0].lower()


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    for name in environment:
        if not name.upper().startswith(ENV_PREFIX) or name in OTHER_VARIABLES:
            continue
        key = _top_level_key(name)
        if key not in Settings.model_fields:
            close = difflib.get_close_matches(key, Settings.model_fields, n=1)
            meant = f" (did you mean {ENV_PREFIX}{close[0].upper()}?)" if close else ""
            raise ConfigError(
                f"environment variable {name} is not a setting{meant}; "
                f"settings are {', '.join(sorted(Settings.model_fields))}, "
                f"written as {ENV_PREFIX}SYMBOLS or {ENV_PREFIX}EXPORTER__PORT"
            )
