"""Runs the cells of docs/tour.md, as a notebook would.

python -m docs.tour [FOLDER]     runs them, and leaves the pictures in ./tour unless it is named
python -m docs.tour --notebook   writes them as tour/tour.ipynb
python -m docs.tour --renew      writes what they give into the document, and its pictures
"""

import ast
import contextlib
import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

DOCUMENT = Path(__file__).with_suffix(".md")
_CELL = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)
_WIDTH = 96


def cells(document: str) -> list[tuple[str, str]]:
    """(code, what is shown of its output) of each cell."""
    return [(match[1], match[2] or "") for match in _CELL.finditer(document)]


def outputs(document: str, folder: Path) -> Iterator[str]:
    """What each cell prints and gives, one after another, in a folder."""
    known: dict[str, Any] = {"__name__": "__main__"}
    with pl.Config(tbl_width_chars=_WIDTH), contextlib.chdir(folder):
        for code, _ in cells(document):
            yield _run(code, known)


def _run(code: str, known: dict[str, Any]) -> str:
    """As a notebook does: the value of a last line that is an expression is shown."""
    tree, printed = ast.parse(code), io.StringIO()
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "<cell>", "exec"), known)  # noqa: S102 our own document
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), known)  # noqa: S307
            sys.stdout.write(f"{value}\n")
    return printed.getvalue()


def renewed(document: str, folder: Path) -> str:
    """The document with what its cells give now."""
    given = outputs(document, folder)
    return _CELL.sub(
        lambda match: f"```python\n{match[1]}```\n\n```text\n{next(given)}```", document
    )


def notebook(document: str) -> dict[str, Any]:
    """The document as a notebook (nbformat 4), its cells yet to be run."""
    made: list[dict[str, Any]] = []
    end = 0
    for match in _CELL.finditer(document):
        made += [_cell("markdown", document[end : match.start()]), _cell("code", match[1])]
        end = match.end()
    kept = [cell for cell in [*made, _cell("markdown", document[end:])] if cell["source"]]
    return {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": kept}


def _cell(kind: str, text: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "metadata": {}, "source": text.strip()}
    return cell | ({"outputs": [], "execution_count": None} if kind == "code" else {})


def main(arguments: list[str]) -> None:
    """Does what the arguments say."""
    document = DOCUMENT.read_text(encoding="utf-8")
    if "--renew" in arguments:
        DOCUMENT.write_text(renewed(document, DOCUMENT.parent), encoding="utf-8")
        (DOCUMENT.parent / "tour-backtest.html").unlink()
        return
    named = [one for one in arguments if not one.startswith("--")]
    folder = Path(named[0] if named else "tour")
    folder.mkdir(parents=True, exist_ok=True)
    if "--notebook" in arguments:
        (folder / "tour.ipynb").write_text(json.dumps(notebook(document), indent=1) + "\n")
        return
    for (code, _), output in zip(cells(document), outputs(document, folder), strict=True):
        sys.stdout.write("".join(f">>> {line}\n" for line in code.splitlines()) + f"{output}\n")
        sys.stdout.flush()
    sys.stdout.write(f"pictures are in {folder}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
