"""Whether a command line is one of the real command's, and a variable one of its settings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from typer.main import get_command

from launcher.commands.app import app
from spreadlake.config.environment import OTHER_VARIABLES
from spreadlake.config.settings import ENV_PREFIX, Settings


def parsed(arguments: Sequence[str]) -> dict[str, Any]:
    """The values of the options of `spreadlake ARGUMENTS`; a usage error where it is none."""
    name, *options = arguments
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    values: dict[str, Any] = command.make_context(name, options).params
    return values


def is_setting(variable: str) -> bool:
    """Whether a variable that begins as ours do is a setting to its last part, or a known one."""
    if variable in OTHER_VARIABLES:
        return True
    model: Any = Settings
    for part in variable.removeprefix(ENV_PREFIX).lower().split("__"):
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return False
        if part not in model.model_fields:
            return False
        field = model.model_fields[part]
        model = field.annotation
    return True


def config_in(folder: Path) -> Path:
    """A configuration that changes nothing, where a container would have its own."""
    path = folder / "spreadlake.toml"
    path.write_text("", encoding="utf-8")
    return path
