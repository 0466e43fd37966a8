"""`python -m docs.source` writes what is made out of the code; `make docs` calls it."""

from docs.source.files import generated

for path, text in generated().items():
    path.write_text(text, encoding="utf-8")
