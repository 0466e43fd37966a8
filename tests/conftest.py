"""What holds for all tests."""

import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.buckets import cold, s3_server
from tests.failures import Failures
from tests.patience import SOAK_SECONDS, TEST_SECONDS

__all__ = ["cold", "s3_server"]

# How long an example takes says more about the machine than about the code. The same examples
# everywhere, so that a change that passed here passes there; `--hypothesis-profile search` looks
# for new ones.
settings.register_profile("same", deadline=None, derandomize=True, database=None)
settings.register_profile("search", deadline=None, derandomize=False, print_blob=True)
settings.load_profile("same")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None:
        config.pluginmanager.register(Failures(terminal))


@pytest.fixture(autouse=True)
def nobody_asks_for_servers_of_before() -> Iterator[None]:
    """Who waits for an S3 server that a test ended does so for ever, beside all tests to come.

    Asking reads the variables of the process, which those tests set.
    """
    yield
    if (reading := sys.modules.get("spreadlake.lake.cold.reading")) is not None:
        reading._away.clear()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test that hangs ends, in a time that also a busy machine keeps to."""
    if config.getoption("timeout") is not None:
        return
    for item in items:
        if item.get_closest_marker("timeout") is None:
            soak = item.get_closest_marker("soak") is not None
            item.add_marker(pytest.mark.timeout(SOAK_SECONDS if soak else TEST_SECONDS))
