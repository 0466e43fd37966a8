"""Whatever a document names is there: files, anchors, tests, commands, make targets."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from typer.main import get_command

from launcher.commands.app import app
from tests.paths import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_QUOTED = re.compile(r"`([^`\n]+)`")
_FILE = re.compile(r"(?:\.ci|[a-z_]+)(?:/[\w.-]+)*/[\w-]+\.(?:py|yml|yaml|json|md|toml|svg|drawio)")
_TEST = re.compile(r"(tests/[\w/]+\.py)::(\w+)")
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def prose_of(path: Path) -> str:
    return _FENCE.sub("", text_of(path))


def anchors_of(path: Path) -> set[str]:
    """The anchors of the headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", prose_of(path), re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        numbered = (plain, *(f"{plain}-{n}" for n in range(1, 100)))
        found.add(next(name for name in numbered if name not in found))
    return found


def test_every_document_is_looked_at() -> None:
    names = {path.name for path in DOCUMENTS}
    assert {"README.md", "CONTRIBUTING.md", "architecture.md", "cookbook.md"} <= names


@pytest.mark.parametrize("path", DOCUMENTS, ids=ids)
def test_links_lead_somewhere(path: Path) -> None:
    for target in _LINK.findall(prose_of(path)):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.exists(), f"{target}: there is no {file}"
        if anchor:
            assert anchor in anchors_of(file), f"{target}: no such heading in {file.name}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=ids)
def test_named_files_exist(path: Path) -> None:
    missing = [
        name
        for quoted in _QUOTED.findall(prose_of(path))
        for name in [_TEST.sub(r"\1", quoted)]
        if _FILE.fullmatch(name) and not any((base / name).exists() for base in (ROOT, path.parent))
    ]
    assert not missing


def functions_in(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.name


@pytest.mark.parametrize("path", DOCUMENTS, ids=ids)
def test_named_tests_exist(path: Path) -> None:
    for file, name in _TEST.findall(text_of(path)):
        assert (ROOT / file).exists(), file
        assert name in set(functions_in(ROOT / file)), f"{file}::{name}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=ids)
def test_named_commands_and_targets_exist(path: Path) -> None:
    commands = set(get_command(app).commands)  # type: ignore[attr-defined]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    text = text_of(path)
    for command in re.findall(r"(?:`|\$ |bin/)spreadlake ([a-z][\w-]*)", text):
        assert command in commands, command
    for target in re.findall(r"(?:`|\$ )make ([a-z]+)", text):
        assert target in targets, target


def test_the_walk_of_a_trade_names_a_file_at_every_step() -> None:
    walk = text_of(ROOT / "docs" / "architecture.md")
    rows = re.findall(r"^\| (\d+) \| .* \| (.*) \|$", walk, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, len(rows) + 1))
    assert all(_QUOTED.findall(files) for _, files in rows)
