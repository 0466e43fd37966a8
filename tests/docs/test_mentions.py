"""What the prose mentions in passing is there too: settings, variables, options, metrics, files."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel

from launcher.commands.app import app
from spreadlake.config import Settings
from spreadlake.config.environment import OTHER_VARIABLES
from spreadlake.lake import Lake
from tests.docs.metrics import exported_names, names_in
from tests.docs.test_links import DOCUMENTS, ids, text_of

_QUOTED = re.compile(r"`([^`\n]+)`")
_TYPED = re.compile(r"(?:\$ |`|bin/|\n    )spreadlake ([a-z][\w-]*)([^`\n]*)")


def fields_by_section() -> dict[str, set[str]]:
    """The keys of every section; those of the top level under an empty name."""
    found: dict[str, set[str]] = {"": set(Settings.model_fields)}
    for name, field in Settings.model_fields.items():
        one = field.default[0] if isinstance(field.default, list) else field.default
        if isinstance(one, BaseModel):
            found[name] = set(type(one).model_fields)
    return found


FIELDS = fields_by_section()
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
OPTIONS = {
    name: {
        option
        for one in (command, *getattr(command, "commands", {}).values())
        for parameter in one.params
        for option in parameter.opts
    }
    for name, command in COMMANDS.items()
}


def settings_in(text: str) -> Iterator[tuple[str, str]]:
    """`job.interval`, `[job] interval`: (section, key)."""
    sections = "|".join(filter(None, FIELDS))
    for quoted in _QUOTED.findall(text):
        yield from re.findall(rf"^\[?({sections})(?:\.|\] )(?!(?:lock|db)$)([a-z_]+)$", quoted)


def variables_in(text: str) -> Iterator[tuple[str, str]]:
    """SPREADLAKE_JOB__INTERVAL, without those that are no settings: (section, key)."""
    for name in set(re.findall(r"\bSPREADLAKE_[A-Z_]*[A-Z]", text)) - OTHER_VARIABLES:
        section, _, key = name.removeprefix("SPREADLAKE_").lower().rpartition("__")
        yield section, key


@pytest.mark.parametrize("path", DOCUMENTS, ids=ids)
def test_settings_and_variables(path: Path) -> None:
    for section, key in (*settings_in(text_of(path)), *variables_in(text_of(path))):
        assert key in FIELDS[section], f"[{section}] {key}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=ids)
def test_options(path: Path) -> None:
    text = text_of(path)
    for command, rest in _TYPED.findall(text):
        own = rest.split(" | ")[0]  # after a pipe come other programs
        for option in re.findall(r"(?<!\S)--?[a-z][\w-]*", own):
            assert option in OPTIONS[command], f"spreadlake {command} {option}"
    for option in re.findall(r"ARGS=(--[\w-]+)", text):
        assert option in OPTIONS["demo"] & OPTIONS["up"], option
    for option in re.findall(r"`(--[\w-]+)`", text):
        assert any(option in known for known in OPTIONS.values()), option


@pytest.mark.parametrize("path", DOCUMENTS, ids=ids)
def test_metrics(path: Path) -> None:
    assert names_in(text_of(path)) <= exported_names()


@pytest.mark.parametrize("path", DOCUMENTS, ids=ids)
def test_databases(path: Path) -> None:
    lake = Lake(Path())
    assert set(re.findall(r"\b\w+\.db\b", text_of(path))) <= {
        str(lake.ticks_db),
        str(lake.analytics_db),
        str(lake.notify_db),
        str(lake.backtests_db),
        str(lake.cold_db),
    }


def test_mentions_are_found() -> None:
    text = "`job.interval` `[collector] repair_hours` SPREADLAKE_EXPORTER__PORT=1 SPREADLAKE_PAIRS"
    assert list(settings_in(text)) == [("job", "interval"), ("collector", "repair_hours")]
    assert sorted(variables_in(text)) == [("", "pairs"), ("exporter", "port")]
    assert _TYPED.findall("$ spreadlake csv --pair X -o -") == [("csv", " --pair X -o -")]
    assert {"--data", "--config"} <= OPTIONS["up"]
