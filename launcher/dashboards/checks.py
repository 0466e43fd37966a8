"""Whether Grafana is ready, and whether it can read the lake."""

import logging
from pathlib import Path

from spreadlake.service import StopSignal

_log = logging.getLogger(__name__)
_EVERY = 0.5


def check_grafana(url: str, password_file: Path, stop: StopSignal) -> None:
    """Waits until Grafana answers and its lake can be read, and tells; or why it cannot."""
    told = ""
    while not stop.wait(_EVERY):
        problem = _problem(url, password_file)
        if problem is None:
            _log.info("dashboards on %s", url)
            return
        if problem and problem != told:
            _log.warning("Grafana runs on %s, but %s", url, problem)
            told = problem


def _problem(url: str, password_file: Path) -> str | None:
    """None where all is well, "" while Grafana is not up."""
    import httpx  # noqa: PLC0415 slow to import, and only Grafana's wrapper needs it

    auth = ("admin", password_file.read_text("utf-8"))
    try:
        # It listens on this machine: no proxy of the environment leads there.
        health = f"{url}/api/datasources/uid/spreadlake-lake/health"
        answer = httpx.get(health, auth=auth, trust_env=False)
        message = answer.json().get("message", "")
    except (httpx.HTTPError, ValueError):
        return ""
    if answer.is_success:
        return None
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return f"its admin password is not the one in {password_file}"
    if "plugin" in message.lower():
        return (
            f"it cannot read the lake: {message}; install its SQLite data source: "
            "grafana cli plugins install frser-sqlite-datasource"
        )
    return f"it cannot read the lake yet: {message}"
