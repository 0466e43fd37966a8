"""The files of the page, as they lie in `static/`: read once, each with its type."""

import hashlib
from pathlib import Path
from typing import NamedTuple

_FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    "": "text/plain; charset=utf-8",
}


class PageFile(NamedTuple):
    """What is answered for a path; `tag` is another for another content."""

    content: bytes
    kind: str
    tag: str


def page_files() -> dict[str, PageFile]:
    """By path: `/` is the page itself, what it needs lies under `/page/`."""
    found = {
        f"/page/{path.relative_to(_FOLDER).as_posix()}": _read(path)
        for path in sorted(_FOLDER.rglob("*"))
        if path.is_file() and path.suffix in _TYPES
    }
    found["/"] = found.pop("/page/index.html")
    return found


def _read(path: Path) -> PageFile:
    content = path.read_bytes()
    return PageFile(content, _TYPES[path.suffix], f'"{hashlib.sha256(content).hexdigest()[:32]}"')
