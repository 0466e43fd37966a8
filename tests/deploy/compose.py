"""docker-compose.yml as Compose reads it: its services, and what their variables become."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from tests.paths import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
IMAGE = "spreadlake:local"
OURS = [name for name, service in SERVICES.items() if service["image"] == IMAGE]
# Those of our image that run our command, and not Dask's.
COMMANDS = [name for name in OURS if "entrypoint" not in SERVICES[name]]
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def environment(service: Mapping[str, Any]) -> dict[str, str | None]:
    """Its variables; None for those that come from the environment, where they are set."""
    found = service.get("environment", {})
    return dict.fromkeys(found) if isinstance(found, list) else dict(found)


def variables_of(name: str) -> dict[str, str]:
    """The variables of an env file, as they are written."""
    lines = (ROOT / name).read_text("utf-8").splitlines()
    settings = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in settings}


def filled(text: str, variables: Mapping[str, str]) -> str:
    """`text` with its variables replaced by their values, or by their defaults."""

    def value(match: re.Match[str]) -> str:
        name, kind, default = match.groups()
        if kind == "?":
            return variables[name]
        return variables.get(name) or default or ""

    return _VARIABLE.sub(value, text)


def profile(name: str | None) -> dict[str, dict[str, Any]]:
    """The services that run with a profile, or without one."""
    return {
        service: parts
        for service, parts in SERVICES.items()
        if "profiles" not in parts or name in parts["profiles"]
    }


def settings_of(
    service: Mapping[str, Any], files: Sequence[str] = (), **own: str
) -> dict[str, str]:
    """What a container of the service gets, where the env `files` and `own` are the environment."""
    around = {key: value for file in files for key, value in variables_of(file).items()} | own
    given = environment(service)
    return {
        key: filled(value, around) if value is not None else around[key]
        for key, value in given.items()
        if value is not None or key in around
    }
