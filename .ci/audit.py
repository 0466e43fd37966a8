"""Known vulnerabilities in the locked dependencies: `make audit`.

pip-audit ends with 0 where its service knows nothing of a package, as behind a registry that
serves packages only; so what was really looked up is counted here. Where that is nothing, or the
service cannot be reached, this says `skipped:` and ends with 0: not being able to ask is no pass.
"""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

LOCKS = ("requirements.lock", "requirements-dev.lock")
_UNREACHABLE = re.compile(r"connect|resol|timed? ?out|unreachable|no route|\b50\d\b", re.IGNORECASE)
_ERROR = re.compile(r"[\w.]*(?:Error|Timeout|Exception)\b")
_LONGEST = 200
ROOT = Path(__file__).resolve().parent.parent


class Verdict(NamedTuple):
    """What to say, and the exit code."""

    message: str
    code: int


def verdict(reports: Sequence[dict[str, Any] | str]) -> Verdict:
    """From the reports of pip-audit; text is the reason why there is none."""
    for reason in (report for report in reports if isinstance(report, str)):
        if not _UNREACHABLE.search(reason):
            return Verdict(f"pip-audit could not do its work: {reason}", 1)
        return Verdict(f"skipped: the vulnerability service cannot be reached: {reason}", 0)
    entries = [
        one for report in reports if isinstance(report, dict) for one in report["dependencies"]
    ]
    packages = {entry["name"]: entry for entry in entries}
    asked = [entry for entry in packages.values() if "skip_reason" not in entry]
    if not asked:
        return Verdict(
            f"skipped: the vulnerability service knows none of the {len(packages)} packages; "
            "the registry in use seems to serve packages only",
            0,
        )
    found = [_in_words(entry) for entry in asked if entry["vulns"]]
    unknown = sorted(packages.keys() - {entry["name"] for entry in asked})
    if unknown:
        found.append(f"could not be looked up: {', '.join(unknown)}")
    if found:
        return Verdict("\n".join(found), 1)
    return Verdict(f"no known vulnerability in {len(asked)} packages", 0)


def _in_words(entry: dict[str, Any]) -> str:
    holes = ", ".join(
        f"{hole['id']} (fixed in {', '.join(hole['fix_versions']) or 'no version yet'})"
        for hole in entry["vulns"]
    )
    return f"{entry['name']} {entry['version']}: {holes}"


def audit(lock: str) -> dict[str, Any] | str:
    """pip-audit's report on one lock file, or the reason why there is none."""
    command = [sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip"]
    command += ["--progress-spinner", "off", "--format", "json", "--requirement", str(ROOT / lock)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    try:
        report: dict[str, Any] = json.loads(result.stdout)
    except ValueError:
        return reason_in(result.stderr) or f"exit code {result.returncode}"
    return report


def reason_in(stderr: str) -> str:
    """Why there is no report: the last line, or an error before it that explains it.

    An answer such as 503 ends in an error without words; what it was stands further up.
    """
    lines = stderr.strip().splitlines()
    errors = [line for line in lines if _ERROR.match(line) and _UNREACHABLE.search(line)]
    return (errors or lines or [""])[-1][:_LONGEST]


if __name__ == "__main__":
    end = verdict([audit(lock) for lock in LOCKS])
    sys.stdout.write(f"audit: {end.message}\n")
    sys.exit(end.code)
