"""The `spreadlake` command as a user runs it: a process of its own."""

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TypeVar
from unittest.mock import patch

from rich.console import Console

from launcher.commands.app import main
from tests.patience import PATIENCE, Deadline

T = TypeVar("T")

COMMAND = [sys.executable, "-P", "-m", "spreadlake"]


def environment(**variables: str) -> dict[str, str]:
    """Ours without what would configure spreadlake, and with `variables`.

    Nor with the size of a terminal: a worker of the tests has one of its own in there.
    """
    kept = {k: v for k, v in os.environ.items() if not k.upper().startswith("SPREADLAKE_")}
    for size in ("COLUMNS", "LINES"):
        kept.pop(size, None)
    return kept | variables


def run(
    *arguments: object, cwd: Path, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The command run to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env=environment(**(variables or {})),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def invoke(
    *arguments: object, cwd: Path, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The same within this process, for commands that run no service: much quicker.

    Only Python sees the variables. Threads of libraries read those of the process without a lock
    of ours, and to change these meanwhile is to crash now and then.
    """
    out, err = io.StringIO(), io.StringIO()
    seen = environment(**(variables or {}))
    argv = ["spreadlake", *map(str, arguments)]
    with (
        chdir(cwd),
        patch.object(os, "environ", seen),
        patch.object(Console, "_environ", seen),
        patch.object(sys, "argv", argv),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code
    assert isinstance(code, int)
    return subprocess.CompletedProcess(argv, code, out.getvalue(), err.getvalue())


@contextmanager
def started(
    *arguments: object, cwd: Path, variables: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """The command while it runs; its output goes to out.txt and err.txt in `cwd`."""
    with (cwd / "out.txt").open("w") as out, (cwd / "err.txt").open("w") as err:
        process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            cwd=cwd,
            env=environment(**(variables or {})),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def until(look: Callable[[], T | None], what: str, seconds: float = PATIENCE) -> T:
    """The first value of `look` that is true."""
    deadline = Deadline(seconds)
    while True:
        value = look()
        if value:
            return value
        assert not deadline.passed, f"waited {seconds:g} s for {what}"
        time.sleep(0.05)
