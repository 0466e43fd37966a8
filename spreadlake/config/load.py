"""Reads the settings; every mistake is told with the key, the value and what is allowed."""

import logging
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from spreadlake.config.environment import keys_of, look_at
from spreadlake.config.explain import explain_invalid, explain_unreadable
from spreadlake.config.settings import ENV_PREFIX, Settings
from spreadlake.config.strict import wrong_types
from spreadlake.errors import ConfigError

log = logging.getLogger(__name__)

DEFAULT_FILE = Path("spreadlake.toml")


def find_config(given: Path | None) -> Path | None:
    """The file to read: the given one, else ./spreadlake.toml where there is one.

    There is none for whoever may not look into the folder: `sudo -u spreadlake` leaves a command in
    the folder of whoever typed it.
    """
    if given is not None:
        return given
    try:
        return DEFAULT_FILE if DEFAULT_FILE.exists() else None
    except PermissionError:
        return None


def load_settings(path: Path | None, **defaults: Any) -> Settings:
    """Settings from `defaults`, then the file at `path`, then the environment.

    Raises ConfigError naming the key, the value and what is allowed.
    """
    content = None if path is None else read_config(path)
    return settings_of(content, path, **defaults)


def read_config(path: Path) -> bytes:
    """The text of the file; ConfigError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"configuration {path} cannot be read: {error.strerror}") from None


def settings_of(content: bytes | None, path: Path | None, **defaults: Any) -> Settings:
    """The same from the text of the file; `path` is what messages name."""
    _look_at_variables(os.environ)
    values = {**defaults, **({} if content is None else values_of(content, path))}
    values = _overridden(values, os.environ)
    try:
        return Settings(**values)
    except ValidationError as error:
        given = {*values, *keys_of(os.environ)}
        raise ConfigError(explain_invalid(error, given, path, os.environ)) from None
    except SettingsError as error:
        raise ConfigError(explain_unreadable(error, os.environ)) from None


def _overridden(values: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """The file chooses symbols, by name or by rules; a variable takes the place of that choice."""
    given = {name.upper(): value for name, value in environment.items()}
    if any(name.startswith(f"{ENV_PREFIX}UNIVERSE") for name in given):
        return {key: value for key, value in values.items() if key != "symbols"}
    if given.get(f"{ENV_PREFIX}SYMBOLS", "all") != "all":
        return {key: value for key, value in values.items() if key != "universe"}
    return values


def _look_at_variables(environment: Mapping[str, str]) -> None:
    look = look_at(environment)
    if look.mistakes:
        raise ConfigError("\n".join(look.mistakes))
    if not environment.get(f"{ENV_PREFIX}SUPERVISED"):  # whoever started us has said it
        for sentence in look.remarks:
            log.warning(sentence)


def values_of(content: bytes, path: Path | None) -> dict[str, Any]:
    """What the text of the file says; ConfigError where it is no TOML, or of other types."""
    try:
        values = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration {path} is not valid TOML: {error}") from None
    if wrong := wrong_types(values):
        raise ConfigError("\n".join(f"{path}: {sentence}" for sentence in wrong))
    return values
