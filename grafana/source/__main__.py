"""Writes every generated file; `--check` only says whether they are up to date."""

import sys

from grafana.source.files import generated


def main() -> int:
    """Exit code 1 where `--check` found a difference."""
    stale = [
        path
        for path, text in generated().items()
        if not path.exists() or path.read_text("utf-8") != text
    ]
    if "--check" not in sys.argv[1:]:
        for path, text in generated().items():
            path.write_text(text, "utf-8")
        return 0
    for path in stale:
        sys.stderr.write(f"{path} is not what its source says; run `make dashboards`\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
