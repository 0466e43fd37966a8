"""Runs a program that knows nothing of us so that it ends when we do.

`python -m launcher.dashboards.wrapper [--grafana URL PASSWORD_FILE] -- PROGRAM ARGUMENT...`
"""

import argparse
import logging
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from launcher.dashboards.checks import check_grafana
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


if __name__ == "__main__":
    sys.exit(main())
