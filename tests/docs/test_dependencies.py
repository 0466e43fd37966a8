"""Every dependency has its reason, is used, and is pinned."""

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

from tests.paths import PACKAGES, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
GROUPS = {
    "## To run": PROJECT["dependencies"],
    "## With Redis": PROJECT["optional-dependencies"]["redis"],
    "## With object storage": PROJECT["optional-dependencies"]["s3"],
    "## With a cluster": PROJECT["optional-dependencies"]["cluster"],
    "## To install": PROJECT["optional-dependencies"]["build"],
    "## To develop": PROJECT["optional-dependencies"]["dev"],
}
# Distributions whose module has another name.
MODULES = {"prometheus-client": "prometheus_client", "pyyaml": "yaml"}
# What runs without being imported: a command for people, and what others' functions need.
NOT_IMPORTED = {"python-socks", "socksio", "sqlite-utils"}


def name_of(requirement: str) -> str:
    return re.split(r"[\s<>=!~\[;]", requirement, maxsplit=1)[0].lower()


@cache
def imported(*folders: str) -> set[str]:
    """Top-level modules that the files of these folders import."""
    found: set[str] = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add((node.module or "").split(".")[0])
    return found


def test_each_has_its_reason_and_none_is_left_over() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    for title, requirements in GROUPS.items():
        section = text.split(f"\n{title}\n")[1].split("\n## ")[0]
        documented = re.findall(r"^\| `([\w.-]+)` \| \S", section, re.MULTILINE)
        assert documented == sorted(map(name_of, requirements)), title


def test_what_is_needed_to_run_is_used_to_run() -> None:
    used = imported(*PACKAGES)
    for name in set(map(name_of, PROJECT["dependencies"])) - NOT_IMPORTED:
        assert MODULES.get(name, name.replace("-", "_")) in used, name


def test_each_is_pinned_with_hashes() -> None:
    for lock, titles in {
        "requirements.lock": [
            "## To run",
            "## With Redis",
            "## With object storage",
            "## With a cluster",
            "## To install",
        ],
        "requirements-dev.lock": list(GROUPS),
    }.items():
        text = (ROOT / lock).read_text(encoding="utf-8")
        for requirement in (one for title in titles for one in GROUPS[title]):
            pattern = (
                rf"^{re.escape(name_of(requirement))}==\S+(?: ;[^\\\n]*)? \\\n    --hash=sha256:"
            )
            assert re.search(pattern, text, re.MULTILINE | re.IGNORECASE), f"{lock}: {requirement}"


def test_the_project_points_to_the_reasons() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert "docs/dependencies.md" in text
    assert Path(ROOT / "docs" / "dependencies.md").exists()
