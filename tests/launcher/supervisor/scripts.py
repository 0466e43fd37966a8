"""Children for the supervisor: small Python programs instead of services."""

import sys
import textwrap
from pathlib import Path

from launcher.supervisor.child import ChildSpec

# Says that it runs, ends on SIGTERM, and notes when it did.
FOREVER = """
import pathlib, signal, sys, time
note = pathlib.Path("notes.txt")
def end(*_):
    with note.open("a") as f:
        f.write(f"{name} ends\\n")
    print(f"{name} flushed", file=sys.stderr, flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print(f"{name} runs", file=sys.stderr, flush=True)
while True:
    time.sleep(0.02)
"""

# Takes no notice of SIGTERM.
STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(f"{name} runs", file=sys.stderr, flush=True)
while True:
    time.sleep(0.02)
"""


def script(name: str, text: str) -> list[str]:
    """A command line that runs `text` with `name` set."""
    return [sys.executable, "-c", f"name = {name!r}\n{textwrap.dedent(text)}"]


def spec(name: str, text: str, folder: Path | None = None) -> ChildSpec:
    """The script as a child, in `folder` where one is given."""
    prefix = "" if folder is None else f"import os; os.chdir({str(folder)!r})\n"
    return ChildSpec(name, lambda: script(name, prefix + textwrap.dedent(text)))
