"""Runs Grafana or Prometheus, which know nothing of us, so that they end when we do.

`python -m launcher.dashboards.wrapper [--grafana URL PASSWORD_FILE] -- PROGRAM ARGUMENT...`
Of Grafana it tells when it is ready, and whether it can read the lake.
"""

import argparse
import logging
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from spreadlake.logs import configure_logs
from spreadlake.service import StopSignal

_log = logging.getLogger(__name__)
_PATIENCE = 15.0
_FAILED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 after a stop that was asked for, 1 where the program ended by itself."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--grafana", nargs=2, metavar=("URL", "PASSWORD_FILE"))
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args(arguments)
    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    configure_logs(Path(command[0]).name)
    return _run(command, given.grafana)


def _run(command: Sequence[str], grafana: tuple[str, str] | None) -> int:
    stop = StopSignal()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:  # noqa: S603 it is ours
        threading.Thread(target=_set_at_end, args=(process, stop), daemon=True).start()
        if grafana is not None:
            check_grafana(grafana[0], Path(grafana[1]), stop)
        stop.wait()
        if process.poll() is not None:
            _log.error("%s ended by itself with exit code %s", command[0], process.returncode)
            return _FAILED
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
    return 0


def _set_at_end(process: subprocess.Popen[bytes], stop: StopSignal) -> None:
    process.wait()
    stop.set()


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


if __name__ == "__main__":
    sys.exit(main())
