"""Parts of a document that are made, between two comments that nobody sees."""

import re
from collections.abc import Mapping, Sequence


def with_regions(document: str, regions: Mapping[str, str]) -> str:
    """The document with every region replaced; KeyError for one that is made and has no place."""
    for name, text in regions.items():
        pattern = re.compile(
            rf"(<!-- made: {name} -->\n).*?(<!-- end: {name} -->)", re.DOTALL | re.MULTILINE
        )
        document, count = pattern.subn(lambda m, t=text: f"{m[1]}{t}\n{m[2]}", document)  # type: ignore[misc]
        if count != 1:
            raise KeyError(f"{name} has {count} places in the document")
    return document


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; pipes in cells are kept from being columns."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(c.replace("|", "\\|") for c in line) + " |" for line in lines
    )
