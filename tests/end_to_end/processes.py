"""Runs the real command, as a user's shell would."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tests.patience import PATIENCE, Deadline

T = TypeVar("T")


def environment(**values: str) -> dict[str, str]:
    """The test's own environment, without settings that a developer may have exported."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SPREADLAKE_")}
    return kept | values


def spreadlake(*arguments: object, cwd: Path, **values: str) -> subprocess.CompletedProcess[str]:
    """Runs `spreadlake ARGUMENTS` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "spreadlake", *map(str, arguments)],
        cwd=cwd,
        env=environment(**values),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def start(*arguments: object, cwd: Path, **values: str) -> subprocess.Popen[str]:
    """Starts `spreadlake ARGUMENTS` in the background, its output in one pipe."""
    return subprocess.Popen(
        [sys.executable, "-m", "spreadlake", *map(str, arguments)],
        cwd=cwd,
        env=environment(**values),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def poll(look: Callable[[], T | None], seconds: float = PATIENCE) -> T:
    """Looks again and again until there is something to see; fails after `seconds`."""
    deadline = Deadline(seconds)
    while not deadline.passed:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"nothing to see after {seconds} s")
