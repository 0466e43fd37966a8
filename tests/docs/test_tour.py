"""The tour, and the page on Python, run as they stand, and give what is shown."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import spreadlake
from docs.tour import DOCUMENT, cells, notebook, outputs
from tests.docs.blocks import fits
from tests.paths import ROOT
from tests.patience import PATIENCE

pytest.importorskip("plotly", reason="needs plotly: make install")  # an environment of before

PICTURES = ("tour-closes.png", "tour-zscore.png", "tour-backtest.png")
PAGE = ROOT / "docs" / "python.md"


@pytest.mark.parametrize("path", [DOCUMENT, PAGE], ids=lambda path: path.name)
def test_each_cell_gives_what_is_shown(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    spreadlake.sample(tmp_path / "data")
    document = path.read_text(encoding="utf-8")
    for (code, shown), given in zip(cells(document), outputs(document, tmp_path), strict=True):
        assert fits(shown, given), f"{code}\n{given}"
    if path == DOCUMENT:
        for name in PICTURES:
            assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
        assert "ETHUSDT/BTCUSDT" in (tmp_path / "tour-backtest.html").read_text(encoding="utf-8")


def test_the_tour_has_ten_cells_and_its_pictures() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    assert len(cells(document)) == 10
    assert all(shown for _, shown in cells(document))
    for name in PICTURES:
        assert f"]({name})" in document
        assert (DOCUMENT.parent / name).read_bytes().startswith(b"\x89PNG")


def test_it_is_a_notebook_too(tmp_path: Path) -> None:
    made = notebook(DOCUMENT.read_text(encoding="utf-8"))
    assert [cell["cell_type"] for cell in made["cells"]].count("code") == 10
    for cell in made["cells"]:
        if cell["cell_type"] == "code":
            compile(cell["source"], "<cell>", "exec")
    line = [sys.executable, "-m", "docs.tour", str(tmp_path / "tour"), "--notebook"]
    subprocess.run(line, cwd=ROOT, check=True, timeout=PATIENCE)
    assert json.loads((tmp_path / "tour" / "tour.ipynb").read_text())["nbformat"] == 4


def test_the_command_runs_it(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "docs.tour", str(tmp_path)]
    ended = subprocess.run(
        line, cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.endswith(f"pictures are in {tmp_path}\n")
    assert {path.name for path in tmp_path.glob("*.png")} == set(PICTURES)
