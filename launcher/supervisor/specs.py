"""The children of each command: their command lines and what their environment overrides.

Settings reach a child as variables over the user's own configuration file, which the child reads
itself: the job goes on watching it for edited rules.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from launcher.supervisor.child import ChildSpec
from spreadlake.config import AcceptedCopy
from spreadlake.lake import Lake
from spreadlake.ports import is_listening

LOOPBACK = "127.0.0.1"
_SERVICES = ("collector", "analytics-job", "exporter", "notifier", "uploader", "simulator")


def spreadlake_command(*arguments: object) -> list[str]:
    """This very spreadlake with other arguments; -P keeps the current folder off its path."""
    return [sys.executable, "-P", "-m", "spreadlake", *map(str, arguments)]


def exchange_variables(port: int, kind: str) -> dict[str, str]:
    """Variables that point the collector at a simulated exchange on loopback."""
    return {
        "SPREADLAKE_EXCHANGE__WS_URL": f"ws://{LOOPBACK}:{port}",
        "SPREADLAKE_EXCHANGE__REST_URL": f"http://{LOOPBACK}:{port}",
        "SPREADLAKE_EXCHANGE__TRADES": kind,
    }


@dataclass(frozen=True)
class Launcher:
    """Makes the specs of children that share a lake, a configuration and overrides."""

    lake: Lake
    config: Path | None
    variables: Mapping[str, str] = field(default_factory=dict)

    def service(self, name: str, command: str, *arguments: object) -> ChildSpec:
        """A service under its own command."""
        line = spreadlake_command(command, "--data", self.lake.root, *self._config(), *arguments)
        return ChildSpec(name, lambda: line, self.variables)

    def collector(self, origin: str = "exchange") -> ChildSpec:
        """The collector."""
        return self.service("collector", "collect", "--origin", origin)

    def job(self, *arguments: object) -> ChildSpec:
        """The analytics job."""
        return self.service("analytics-job", "analyse", *arguments)

    def exporter(self, grafana: str | None = None, command: str | None = None) -> ChildSpec:
        """The exporter; its page leads to the Grafana beside it, where its address is given.

        `command` is how spreadlake is called by who started all, which the child cannot know.
        """
        spec = self.service("exporter", "export-metrics")
        told = {
            "SPREADLAKE_EXPORTER__DASHBOARDS": grafana,
            "SPREADLAKE_EXPORTER__COMMAND": command,
        }
        known = {name: value for name, value in told.items() if value is not None}
        return replace(spec, environment={**spec.environment, **known})

    def notifier(self) -> ChildSpec:
        """What tells people about alerts."""
        return self.service("notifier", "notify")

    def uploader(self) -> ChildSpec:
        """What puts finished days in object storage."""
        return self.service("uploader", "upload")

    def simulator(self, port: int, arguments: Callable[[], Sequence[object]]) -> ChildSpec:
        """The simulated exchange on loopback; `arguments` are asked for at each start."""
        fixed = ["simulate", "--host", LOOPBACK, "--port", port, *self._config()]
        return ChildSpec(
            "simulator",
            lambda: spreadlake_command(*fixed, *arguments()),
            self.variables,
            ready=lambda: is_listening(LOOPBACK, port),
        )

    def forget(self, services: Sequence[str] = _SERVICES) -> None:
        """To be called when all is over: the next start is a new one, with the file as it is then.

        Until then each service keeps a copy of the configuration that it accepted.
        """
        for name in services:
            AcceptedCopy(self.lake.accepted_config(name)).forget()

    def _config(self) -> list[object]:
        # A path of the null device means defaults only: the child must not find another file.
        return ["--config", self.config if self.config is not None else os.devnull]
