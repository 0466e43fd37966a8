import time
from pathlib import Path

import pytest

from tests.grafana.lake_fixture import FixtureLake, build_lake


@pytest.fixture(scope="session")
def fixture_lake(tmp_path_factory: pytest.TempPathFactory) -> FixtureLake:
    """A lake whose last bar is of just now."""
    root: Path = tmp_path_factory.mktemp("lake")
    return build_lake(root, int(time.time()) - 1)
