"""Variables that begin as ours do: which are settings, which are not, which were meant to be.

Nothing is read here: the environment is handed in.
"""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import NamedTuple

from pydantic import BaseModel

from spreadlake.config.settings import ENV_PREFIX, Settings

# Variables of ours that are not settings: the lake's folder, what Grafana's provisioning and
# docker-compose take, and what the supervisor tells its children.
OTHER_VARIABLES = frozenset(
    ENV_PREFIX + name
    for name in (
        "DATA",
        "DASHBOARDS",
        "EMAIL_TO",
        "SLACK_URL",
        "WEBHOOK_URL",
        "NOTIFIER",
        "TOML",
        "SUPERVISED",
        "RESTARTED",
    )
)

# What Kubernetes sets in every container for a service whose name begins with spreadlake.
_LINK = re.compile(r"_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_\w+)?$")
_LINK_VALUE = re.compile(r"(tcp|udp|sctp)://")
_ALIKE = 0.8


class Look(NamedTuple):
    """Sentences about variables: `mistakes` are written as settings are, `remarks` may not be."""

    mistakes: list[str]
    remarks: list[str]


def look_at(environment: Mapping[str, str]) -> Look:
    """What is to be said of variables that begin as ours do and are not settings.

    A stranger's variables are passed over: those that are like no setting without a word.
    """
    look = Look([], [])
    for name, value in environment.items():
        if _is_known(name) or _is_service_link(name, value):
            continue
        sentence = f"environment variable {name} is not a setting"
        near = _nearest(_without_prefix(name))
        meant = f"; did you mean {near}?" if near else ""
        if near and "__" in name:
            look.mistakes.append(f"{sentence}{meant}")
        elif near or "__" in name:
            look.remarks.append(f"{sentence} and is passed over{meant}")
    return look


def keys_of(environment: Mapping[str, str]) -> set[str]:
    """The top-level keys that variables set, or seem to."""
    return {_top_level_key(name) for name in environment if _is_ours(name)}


def _is_ours(name: str) -> bool:
    return name.upper().startswith(ENV_PREFIX)


def _is_known(name: str) -> bool:
    if not _is_ours(name) or name.upper() in OTHER_VARIABLES:
        return True
    return _top_level_key(name) in Settings.model_fields


def _is_service_link(name: str, value: str) -> bool:
    return bool(_LINK.search(name.upper()) or _LINK_VALUE.match(value))


def _without_prefix(name: str) -> str:
    return name.upper().removeprefix(ENV_PREFIX).lower()


def _top_level_key(name: str) -> str:
    return _without_prefix(name).split("__")[0]


def _nearest(key: str) -> str | None:
    """The variable of the setting that `key` is most like."""
    top, _, rest = key.partition("__")
    if rest and (section := get_close_matches(top, Settings.model_fields, 1, _ALIKE)):
        return f"{ENV_PREFIX}{section[0]}".upper() + f"__{rest}".upper()
    found = get_close_matches(key, list(_settings()), 1, _ALIKE)
    return f"{ENV_PREFIX}{found[0]}".upper() if found else None


def _settings() -> Iterator[str]:
    """Every setting as its variable is written, without the prefix, in lower case."""
    for name, field in Settings.model_fields.items():
        yield name
        if isinstance(field.default, BaseModel):
            yield from (f"{name}__{key}" for key in type(field.default).model_fields)
