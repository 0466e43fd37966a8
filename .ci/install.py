"""Installs a lock file with pip and shows how far it is, in one line instead of pages.

`python .ci/install.py LOCK`, run with the interpreter to install for. What pip said is shown only
where it failed.
"""

import subprocess
import sys
from collections import deque
from pathlib import Path

_TOLD = 40  # lines of pip's output that are shown after a failure


def main(lock: str) -> int:
    """pip's exit code."""
    packages = Path(lock).read_text(encoding="utf-8").count("==")
    command = [
        *(sys.executable, "-m", "pip", "install", "--disable-pip-version-check"),
        *("--progress-bar", "off", "--require-hashes", "-r", lock),
    ]
    last: deque[str] = deque(maxlen=_TOLD)
    done = 0
    with subprocess.Popen(  # noqa: S603 our own interpreter
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            last.append(line)
            if line.startswith(("Collecting ", "Requirement already satisfied")):
                done += 1
                _show(f"fetching {min(done, packages)} of {packages} packages")
            elif line.startswith("Installing collected packages"):
                _show("putting them into place")
    _show("")
    if process.returncode:
        sys.stderr.write("".join(last))
    return process.returncode


def _show(text: str) -> None:
    """On a terminal in place of what stood there; elsewhere nothing."""
    if sys.stdout.isatty():
        sys.stdout.write(f"\r\x1b[2K{text}")
        sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except KeyboardInterrupt:
        _show("")
        sys.exit("the installation was interrupted: the same command goes on with it")
