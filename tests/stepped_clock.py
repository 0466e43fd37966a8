"""A wall clock that can be set back and forward under processes that run."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.paths import ROOT

_SOURCE = ROOT.parent / "shared" / "cases" / "clock.c"
HOUR = 3_600
DAY = 24 * HOUR


class SteppedClock:
    """Processes with `variables` in their environment see the wall clock `step` seconds off.

    Skips the test where what it needs is not there.
    """

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("needs a C compiler (cc) to make the clock that is stepped")
        if not _SOURCE.exists():
            pytest.skip("needs ../shared/cases/clock.c beside the checkout")
        library = folder / "clock.so"
        made = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCE), "-ldl"]
        subprocess.run(made, check=True, capture_output=True)
        self._offset = folder / "offset"
        self.step(0)
        self.variables: Mapping[str, str] = {
            "LD_PRELOAD": str(library),
            "CLOCK_FILE": str(self._offset),
        }

    def step(self, seconds: int) -> None:
        """Sets the clock so far from the true time, at once."""
        mode = "r+b" if self._offset.exists() else "wb"
        with self._offset.open(mode) as file:  # in place: the processes have it mapped
            file.write(seconds.to_bytes(8, "little", signed=True))
