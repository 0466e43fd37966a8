"""Health of one service for Docker and Kubernetes: `python -m launcher.health_check SERVICE`.

A capture has no lake and leaves its signs of life in the log:
`… capture redis://host:6379/0 [CONFIG]`.
"""

import os
import sys
import time
import urllib.request
from pathlib import Path

from spreadlake.config import find_config, load_settings
from spreadlake.errors import SpreadlakeError
from spreadlake.lake import Lake
from spreadlake.service import ServiceContext
from spreadlake.status import ServiceReport, look_until_sure, read_service

# Where the services that answer HTTP listen in their containers.
_ANSWERS = {
    "exporter": "http://127.0.0.1:9464/metrics",
    "simulator": "http://127.0.0.1:9443/simulator/status",
    "scheduler": "http://127.0.0.1:8787/health",
    "worker": "http://127.0.0.1:8787/health",
}
_TIMEOUT = 5.0
# No proxy of the environment leads to this container itself.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def main(service: str, log: str | None = None, config: str | None = None) -> int:
    """0 where the service works, else 1 with a line that says why not."""
    try:
        if log is not None:
            _look_into(log, service, config)
            return 0
        if service in _ANSWERS:
            _opener.open(_ANSWERS[service], timeout=_TIMEOUT).close()
            return 0
        report = _report(service)
    except (OSError, SpreadlakeError) as error:
        sys.stderr.write(f"{service}: {error}\n")
        return 1
    sys.stdout.write(f"{service}: {report.message}\n")
    return 0 if report.state == "running" else 1


def _look_into(log: str, service: str, config: str | None) -> None:
    """SpreadlakeError where `service` left no sign of life in a log."""
    from launcher.commands.services import load_service  # noqa: PLC0415 slow to import

    settings = load_settings(find_config(None if config is None else Path(config)))
    context = ServiceContext(settings, Lake(Path()), options={"to": log})
    load_service(f"{service}-health")(context)


def _report(service: str) -> ServiceReport:
    lake = Lake(Path(os.environ.get("SPREADLAKE_DATA", "data")))
    databases = {"collector": lake.ticks_db, "notifier": lake.notify_db, "uploader": lake.cold_db}
    database = databases.get(service, lake.analytics_db)
    return look_until_sure(lambda seen: read_service(database, service, time.time(), seen))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
