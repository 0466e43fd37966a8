"""A month of a busy symbol is imported, and compared with the lake, in little memory."""

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.importer.dumps import MIDNIGHT
from tests.running import environment

ROWS = 8_000_000
PIECE = 500_000

# The child tells the peak of its own memory; ru_maxrss would have that of the tests in it, which
# the child is forked from.
RUN = """
import re, sys
from pathlib import Path
from importer import import_dumps
from importer.verify import verify_dumps
from spreadlake.lake import Lake
paths, lake = [Path(sys.argv[1])], Lake(Path(sys.argv[2]))
act, count = {
    "import": (import_dumps, lambda one: one.fresh),
    "verify": (verify_dumps, lambda one: sum(hour.equal for hour in one.hours)),
}[sys.argv[3]]
for one in act(lake, paths, lambda dump, doing: lambda position: None):
    print(count(one))
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def write_month(path: Path) -> int:
    """A zip of many trades over twenty days; returns the size of the CSV in it."""
    rng, size = np.random.default_rng(3), 0
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(path.with_suffix(".csv").name, "w", force_zip64=True) as file,
    ):
        for first in range(0, ROWS, PIECE):
            ids = np.arange(first, first + PIECE)
            times = MIDNIGHT + ids * (20 * 86_400_000 // ROWS)
            prices = np.round(60_000 + rng.normal(0, 50, PIECE), 1)
            columns = zip(ids.tolist(), prices.tolist(), times.tolist(), strict=True)
            text = "".join(f"{n},{p},0.01,{n},{n},{t},true\n" for n, p, t in columns)
            size += file.write(text.encode())
    return size


@pytest.mark.soak
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc (Linux)")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-aggTrades-2024-08.zip"
    size = write_month(path)
    for what in ("import", "verify"):
        result = subprocess.run(
            [sys.executable, "-c", RUN, str(path), str(tmp_path / "lake"), what],
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        trades, peak_kb = map(int, result.stdout.split())
        assert trades == ROWS
        assert peak_kb * 1024 < 300 * 2**20 < size
