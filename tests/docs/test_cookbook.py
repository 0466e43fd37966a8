"""Every block of the cookbook runs, and prints what is shown."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import Block, Runner, blocks_of, fits, steps_of
from tests.docs.metrics import exported_names, names_in
from tests.paths import ROOT

BLOCKS = blocks_of((ROOT / "docs" / "cookbook.md").read_text(encoding="utf-8"))
RUNNABLE = [block for block in BLOCKS if block.language in ("console", "python")]
QUERIES = [
    query for block in BLOCKS if block.language == "promql" for query in block.text.splitlines()
]


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    folder = tmp_path_factory.mktemp("cookbook")
    (folder / "docs").symlink_to(ROOT / "docs")
    yield Runner(folder)
    (folder / "docs").unlink()


def test_there_are_blocks_of_every_kind() -> None:
    assert {block.language for block in BLOCKS} == {"console", "python", "promql"}


@pytest.mark.parametrize("block", RUNNABLE, ids=lambda block: f"line {block.line}")
def test_a_block_prints_what_is_shown(runner: Runner, block: Block) -> None:
    if block.language == "python":
        assert block.shown is not None, "a Python block shows what it prints"
        printed = runner.run_python(block.text)
        assert fits(block.shown, printed), printed
        return
    for step in steps_of(block.text):
        printed = runner.run_console(step)
        assert fits(step.shown, printed), f"$ {step.command}\n{printed}"


def test_the_picture_is_a_picture(runner: Runner) -> None:
    assert (runner.folder / "pair.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_names_metrics_that_there_are(query: str) -> None:
    assert names_in(query)
    assert names_in(query) <= exported_names()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (Debian: prometheus)")
def test_prometheus_understands_the_queries(tmp_path: Path) -> None:
    rules = [f"      - {{record: 'q:{n}', expr: {query!r}}}" for n, query in enumerate(QUERIES)]
    file = tmp_path / "queries.yml"
    file.write_text("\n".join(["groups:", "  - name: cookbook", "    rules:", *rules]))
    result = subprocess.run(
        ["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert f"{len(QUERIES)} rules found" in result.stdout


def test_what_is_shown_must_fit() -> None:
    assert fits("a …\nb\n", "a 17 s\nb\n")
    assert not fits("a …\nb\n", "a 17 s\n")
    assert not fits("1.25\n", "1a25\n")
