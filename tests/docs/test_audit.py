"""The audit fails for what is known, and never passes for what could not be asked."""

import importlib.util
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from tests.paths import ROOT

GOOD = {"name": "httpx", "version": "1.0", "vulns": []}
BAD = {
    "name": "evil",
    "version": "0.1",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["0.2"]}, {"id": "PYSEC-2", "fix_versions": []}],
}
UNKNOWN = {"name": "private", "skip_reason": "Dependency not found on PyPI"}


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def verdict(audit: ModuleType) -> Callable[..., tuple[str, int]]:
    def judge(*reports: list[Any] | str) -> tuple[str, int]:
        wrapped = [r if isinstance(r, str) else {"dependencies": r, "fixes": []} for r in reports]
        message, code = audit.verdict(wrapped)
        return message, code

    return judge


def test_nothing_known_is_a_pass_that_says_how_many(verdict: Callable[..., Any]) -> None:
    assert verdict([GOOD], [GOOD, GOOD | {"name": "rich"}]) == (
        "no known vulnerability in 2 packages",
        0,
    )


def test_a_known_vulnerability_fails(verdict: Callable[..., Any]) -> None:
    message, code = verdict([GOOD, BAD])
    assert code == 1
    assert message == "evil 0.1: PYSEC-1 (fixed in 0.2), PYSEC-2 (fixed in no version yet)"


def test_what_could_not_be_asked_is_said_and_is_no_pass(verdict: Callable[..., Any]) -> None:
    message, code = verdict([UNKNOWN, UNKNOWN | {"name": "other"}])
    assert code == 0
    assert message.startswith("skipped: the vulnerability service knows none of the 2 packages")
    message, code = verdict([GOOD], "ConnectionError: no route to host")
    assert code == 0
    assert message.startswith("skipped: ")
    assert "no route to host" in message


DOWN = """\
Traceback (most recent call last):
  File "connectionpool.py", line 1, in query
requests.exceptions.HTTPError: 503 Server Error: Service Unavailable for url: x

The above exception was the direct cause of the following exception:

pip_audit._service.interface.ServiceError
"""


def test_a_service_that_is_down_cannot_be_asked(
    audit: ModuleType, verdict: Callable[..., Any]
) -> None:
    reason = audit.reason_in(DOWN)
    assert reason.startswith("requests.exceptions.HTTPError: 503 Server Error")
    message, code = verdict(reason)
    assert (message[:8], code) == ("skipped:", 0)


def test_any_other_error_is_told_by_its_last_line(
    audit: ModuleType, verdict: Callable[..., Any]
) -> None:
    broken = DOWN.replace("503 Server Error: Service Unavailable", "403 Client Error")
    reason = audit.reason_in(broken)
    assert reason == "pip_audit._service.interface.ServiceError"
    assert verdict(reason)[1] == 1
    assert audit.reason_in("") == ""


def test_an_audit_that_breaks_fails(verdict: Callable[..., Any]) -> None:
    message, code = verdict("requirements.lock: invalid requirement on line 7")
    assert (message, code) == (
        "pip-audit could not do its work: requirements.lock: invalid requirement on line 7",
        1,
    )


def test_one_package_that_could_not_be_looked_up_fails(verdict: Callable[..., Any]) -> None:
    assert verdict([GOOD, UNKNOWN]) == ("could not be looked up: private", 1)


def test_both_lock_files_are_looked_at(audit: ModuleType) -> None:
    assert sorted(audit.LOCKS) == sorted(path.name for path in ROOT.glob("requirements*.lock"))
