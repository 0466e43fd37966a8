"""Says of each test that fails what failed, at once: a run that is cut off told it then."""

import pytest


class Failures:
    """A plugin of the process that reports; workers have no terminal of their own."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._terminal.ensure_newline()
            self._terminal.write_line(f"failed: {report.nodeid}: {_why(report)}", red=True)


def _why(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    said = str(
        report.longrepr if crash is None else f"{crash.path}:{crash.lineno}: {crash.message}"
    )
    return (said.splitlines() or [""])[0]
