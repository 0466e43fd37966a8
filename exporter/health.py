"""Whether the pipeline is alive: the lake can be read, and both of its writers show signs of life.

A market without trades is healthy; a collector that says nothing is not.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from exporter.read import read_services
from spreadlake.errors import LakeError
from spreadlake.lake import Lake
from spreadlake.status import ServiceReport


@dataclass(frozen=True)
class Health:
    """The answer of `/healthz`: healthy where there is no reason against it."""

    lake: str
    reasons: list[str]
    services: Sequence[ServiceReport] = field(default_factory=tuple)

    @property
    def healthy(self) -> bool:
        """Whether there is nothing to complain about."""
        return not self.reasons

    def as_json(self) -> dict[str, Any]:
        """What `/healthz` shows."""
        return {"status": "ok" if self.healthy else "failing", **asdict(self)}


def health_of(lake: str, services: Sequence[ServiceReport]) -> Health:
    """Healthy if every service runs."""
    reasons = [f"{s.name}: {s.message}" for s in services if s.state != "running"]
    return Health(lake, reasons, services)


def read_health(lake: Lake, read: Callable[[Lake], list[ServiceReport]] = read_services) -> Health:
    """The health of `lake` now; a database that cannot be read is a reason too."""
    name = str(lake.root.resolve())
    try:
        return health_of(name, read(lake))
    except LakeError as error:
        return Health(name, [str(error)])
