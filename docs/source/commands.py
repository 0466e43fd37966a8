"""The commands with their options, from the command line itself."""

import math
import re
from collections.abc import Iterator
from typing import Any

import typer

from docs.source.regions import table
from launcher.commands.app import app


def commands_text() -> str:
    """A paragraph and a table for each command, in the order of the help."""
    group: Any = typer.main.get_command(app)
    return "\n\n".join(
        part for name, command in _leaves(group.commands) for part in _command(name, command)
    )


def _leaves(commands: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Commands by name, those of a group as `group command`, after the group where it is one."""
    for name, command in commands.items():
        if hasattr(command, "commands"):
            if command.invoke_without_command:
                yield name, command
            yield from ((f"{name} {leaf}", one) for leaf, one in _leaves(command.commands))
        else:
            yield name, command


def _command(name: str, command: Any) -> Iterator[str]:
    shown = [p for p in command.params if not getattr(p, "hidden", False) and p.name != "help"]
    arguments = [p for p in shown if p.param_type_name == "argument"]
    options = [p for p in shown if p.param_type_name == "option"]
    usage = " ".join([name, *(f"{p.metavar}{'...' * (p.nargs < 0)}" for p in arguments)])
    yield f"### `spreadlake {usage}`"
    yield " ".join(str(command.help).split())
    rows = [(f"`{p.metavar}`", "", p.help or "") for p in arguments]
    rows += [(f"`{_spelled(p)}`", *_default_and_help(p)) for p in options]
    yield table(("option", "default", "what it does"), rows)


def _spelled(option: Any) -> str:
    names = ", ".join(option.opts)
    return names if option.is_flag else f"{names} {option.metavar or 'TEXT'}"


def _default_and_help(option: Any) -> tuple[str, str]:
    text = option.help or ""
    told = re.search(r"\s*\[default: (.*)\]$", text)
    if told:  # where the command line cannot know it
        return f"`{told[1]}`", text[: told.start()]
    return _default(option), text


def _default(option: Any) -> str:
    if option.is_flag or option.default is None:
        return ""
    value = option.default
    if isinstance(value, float):
        value = "max" if value == math.inf else f"{value:g}"
    return f"`{value}`" + (f", or `{option.envvar}`" if option.envvar else "")
