"""Every test has an end, and those that take long a later one."""

from collections.abc import Callable

import pytest

from tests.conftest import pytest_collection_modifyitems
from tests.patience import SOAK_SECONDS, TEST_SECONDS


@pytest.mark.soak
def _long() -> None: ...


@pytest.mark.soak
@pytest.mark.timeout(60)
def _bounded() -> None: ...


def _short() -> None: ...


@pytest.mark.parametrize(
    ("test", "seconds"), [(_long, SOAK_SECONDS), (_bounded, 60), (_short, TEST_SECONDS)]
)
def test_a_test_has_the_limit_of_its_kind_unless_it_has_its_own(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    test: Callable[[], None],
    seconds: float,
) -> None:
    monkeypatch.setattr(request.config.option, "timeout", None)
    item = pytest.Function.from_parent(request.node.parent, name=test.__name__, callobj=test)
    pytest_collection_modifyitems(request.config, [item])
    marker = item.get_closest_marker("timeout")
    assert marker is not None
    assert marker.args == (seconds,)
