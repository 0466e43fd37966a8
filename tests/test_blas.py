"""Every process of ours gives linear algebra one thread, unless somebody chose otherwise."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from spreadlake.blas import BLAS_VARIABLES, pin_blas_threads
from tests.fixture_lake import make_lake
from tests.patience import PATIENCE
from tests.running import environment

# The job as it runs, with its linear algebra loaded, and the process of its slow statistics.
_SERVICE = """
import json, sys
from unittest.mock import patch

from launcher.commands.app import main
assert "numpy" not in sys.modules  # BLAS reads its variables when it is loaded
sys.argv = ["spreadlake", "analyse", "--once", "--data", "lake"]
try:
    main()
except SystemExit as ended:
    assert not ended.code
import numpy, scipy.linalg
from analytics_job.background import _pool
from tests.blas_threads import blas_threads
pool = _pool()
pool.submit(exec, "import numpy, scipy.linalg").result(60)
print(json.dumps([blas_threads(), pool.submit(blas_threads).result(60)]))
pool.shutdown()
"""


def _service_threads(folder: Path, **variables: str) -> list[list[int]]:
    make_lake(folder / "lake")
    inherited = environment(PYTHONPATH=str(Path(__file__).parent.parent))
    kept = {name: value for name, value in inherited.items() if name not in BLAS_VARIABLES}
    ended = subprocess.run(
        [sys.executable, "-c", f"if __name__ == '__main__':\n{_indented(_SERVICE)}"],
        cwd=folder,
        env=kept | variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found: list[list[int]] = json.loads(ended.stdout.splitlines()[-1])
    if not found[0]:
        pytest.skip("numpy's BLAS is not OpenBLAS here, or there is no /proc")
    return found


def _indented(program: str) -> str:
    return "".join(f"    {line}\n" for line in program.splitlines())


def test_the_job_and_its_slow_statistics_have_one_thread(tmp_path: Path) -> None:
    job, slow = _service_threads(tmp_path)
    assert set(job) == {1}
    assert set(slow) == {1}


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor: BLAS has one thread anyway")
def test_what_somebody_chose_is_kept(tmp_path: Path) -> None:
    job, _ = _service_threads(tmp_path, OPENBLAS_NUM_THREADS="2")
    assert set(job) == {2}


@pytest.mark.parametrize("chosen", BLAS_VARIABLES)
def test_one_variable_that_is_set_is_a_choice(chosen: str) -> None:
    variables = {chosen: "4"}
    pin_blas_threads(variables)
    assert variables == {chosen: "4"}
    empty = {chosen: ""}
    pin_blas_threads(empty)
    assert set(empty.values()) == {"1"}
