"""An exporter on loopback answers to its own names alone: a page of somebody else cannot ask it."""

import http.client
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from exporter.own_names import StartResponse, under_own_names
from tests.exporter.serving import serving
from tests.exporter.test_service import address_of
from tests.fixture_lake import make_lake
from tests.patience import PATIENCE
from tests.running import started, until

PATHS = ("/", "/page/js/main.js", "/api/lake", "/api/pair?a=B&b=C", "/pair.csv", "/metrics")
OWN = ("127.0.0.1", "localhost", "LOCALHOST", "localhost.", "[::1]", "127.0.0.2", "192.0.2.7")
FOREIGN = (
    "rebound.example",
    "localhost.rebound.example",
    "127.0.0.1.rebound.example",
    "rebound",
    "127.0.0.1@rebound.example",
    "<b>rebound</b>",
    "[",
    "",
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(make_lake(tmp_path_factory.mktemp("named"))) as address:
        yield address


def asked_as(address: str, path: str, name: str | None) -> tuple[int, str]:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE)
    try:
        connection.putrequest("GET", path, skip_host=True)
        if name is not None:
            connection.putheader("Host", name)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("name", FOREIGN)
def test_a_name_that_is_not_its_own_is_refused(address: str, name: str) -> None:
    for path in PATHS:
        status, told = asked_as(address, path, f"{name}:9464" if name else name)
        assert status == 403, path
        assert "ask 127.0.0.1 or localhost, or set exporter.url" in told


@pytest.mark.parametrize("name", [*OWN, *(f"{name}:8080" for name in OWN), None])
def test_its_own_names_and_addresses_in_digits_are_answered(address: str, name: str | None) -> None:
    assert [asked_as(address, path, name)[0] for path in PATHS] == [200, 200, 200, 400, 400, 200]


def answered(listens_on: str, asked: str, *names: str | None) -> str:
    """The status of an application that says 200 to whatever reaches it."""
    told: list[str] = []

    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        return []

    guarded = under_own_names(app, listens_on, *names)
    guarded({"HTTP_HOST": asked}, lambda status, _: told.append(status))
    return told[0].split()[0]


def test_what_is_configured_is_its_own_too() -> None:
    url = "https://Charts.example.org:8443/lake"
    assert answered("127.0.0.1", "charts.example.org", "box.lan", url) == "200"
    assert answered("127.0.0.1", "box.lan:9464", "box.lan", url) == "200"
    assert answered("::1", "box.lan:9464", "::1", None) == "403"


def test_beyond_loopback_nobody_knows_by_what_name_it_is_asked() -> None:
    assert answered("0.0.0.0", "exporter:9464", "0.0.0.0") == "200"
    assert answered("192.0.2.7", "box.lan", "192.0.2.7") == "200"


def test_the_service_knows_its_address_of_the_configuration(tmp_path: Path) -> None:
    lake = make_lake(tmp_path / "lake")
    variables = {
        "SPREADLAKE_EXPORTER__PORT": "0",
        "SPREADLAKE_EXPORTER__URL": "https://charts.example.org",
    }
    with started(
        "export-metrics", "--data", lake.root, cwd=tmp_path, variables=variables
    ) as process:
        address = until(lambda: address_of(tmp_path / "err.txt"), "the exporter's address")
        assert asked_as(address, "/api/lake", "charts.example.org")[0] == 200
        assert asked_as(address, "/api/lake", "charts.example.com")[0] == 403
        process.terminate()
        process.wait(PATIENCE)
