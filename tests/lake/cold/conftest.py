"""What the tests of the cold part share."""

from collections.abc import Iterator

import pytest

from spreadlake.lake.cold import reading
from spreadlake.lake.cold.address import ColdAddress
from tests.buckets import Server
from tests.metered import Way, way_to


@pytest.fixture
def way(cold: ColdAddress, s3_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Way]:
    """By which the test's bucket is asked."""
    monkeypatch.setattr(reading, "_away", {})
    with way_to(s3_server.endpoint) as way:
        monkeypatch.setenv("AWS_ENDPOINT_URL", way.endpoint)
        yield way
