"""How spreadlake is called, for lines that a user is to type or to paste."""

import shlex
import shutil
import sys
from pathlib import Path


def command_name() -> str:
    """How this command can be typed again: by name where it is on the path, else as it was."""
    if shutil.which("spreadlake"):
        return "spreadlake"
    typed = Path(sys.argv[0])
    if typed.name != "spreadlake":
        return "python -m spreadlake"
    here = Path.cwd()
    return shlex.quote(str(typed.relative_to(here) if typed.is_relative_to(here) else typed))
