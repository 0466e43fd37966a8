"""Every picture of the dashboards and of the page is one that `make pictures` makes, and small."""

import re
from pathlib import Path

import pytest

from docs.pictures import MOST_BYTES, PICTURES, main, missing
from tests.paths import ROOT

DOCS = ROOT / "docs"
SHOWN = re.compile(r"!\[([^\]]*)\]\((?:docs/)?([\w-]+)\.png\)")
DOCUMENTS = [*ROOT.glob("*.md"), *DOCS.glob("*.md")]
FOUND = [match for path in DOCUMENTS for match in SHOWN.findall(path.read_text(encoding="utf-8"))]


def test_all_are_made_by_the_target_and_shown_somewhere() -> None:
    made = {picture.name for picture in PICTURES}
    of_screens = re.compile("page$|dashboard-|reading-")
    assert {name for _, name in FOUND if of_screens.match(name)} == made


@pytest.mark.parametrize("picture", PICTURES, ids=lambda one: one.name)
def test_it_is_small_and_says_what_it_shows(picture: object) -> None:
    name = getattr(picture, "name", "")
    assert (DOCS / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert (DOCS / f"{name}.png").stat().st_size <= MOST_BYTES
    assert all(len(words) > 15 for words, shown in FOUND if shown == name)


def test_what_is_not_installed_is_said_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "grafana and prometheus on PATH" in missing()
    assert main() == 1
    assert capsys.readouterr().err.count("\n") == 1
