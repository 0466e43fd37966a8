"""A service that runs and does not do its work: `status` and the live screen say why."""

import json
from pathlib import Path
from typing import Any

import pytest

from spreadlake.ports import free_port
from spreadlake.status.heartbeats import Judgement
from spreadlake.status.services import describe_service
from tests.running import invoke, started, until


@pytest.mark.parametrize(
    ("status", "trouble", "message"),
    [
        ({}, "", "running"),
        ({"sessions": [{"streams": 2, "connected": True}]}, "", "running"),
        (
            {"sessions": [{"streams": 2, "connected": False}, {"streams": 1, "connected": False}]},
            "not connected to the exchange",
            "running, but not connected to the exchange",
        ),
        (
            {"sessions": [{"streams": 2, "connected": True}, {"streams": 1, "connected": False}]},
            "only 1 of 2 connections open",
            "running, but only 1 of 2 connections open",
        ),
        # All its symbols were taken away.
        ({"sessions": [{"streams": 0, "connected": False}]}, "", "running"),
        (
            {"trouble": "the disk is full"},
            "cannot store trades",
            "running, but cannot store trades: the disk is full",
        ),
        ({"error": "x"}, "its last step failed", "running, but its last step failed: x"),
    ],
)
def test_what_keeps_a_service_from_its_work_is_told(
    status: dict[str, Any], trouble: str, message: str
) -> None:
    report = describe_service("collector", status, 1_000, Judgement(0.5, late=False))
    assert (report.state, report.trouble, report.message) == ("running", trouble, message)


def test_a_collector_without_a_network_is_told(tmp_path: Path) -> None:
    """The real one, whose exchange nobody is."""
    where = f"127.0.0.1:{free_port()}"
    nowhere = {
        "SPREADLAKE_EXCHANGE__WS_URL": f"ws://{where}",
        "SPREADLAKE_EXCHANGE__REST_URL": f"http://{where}",
    }

    def collector() -> dict[str, Any] | None:
        looked = invoke("status", "--data", "lake", "--json", cwd=tmp_path, variables=nowhere)
        if looked.returncode:
            return None  # no lake yet
        services: list[dict[str, Any]] = json.loads(looked.stdout)["services"]
        found = next(one for one in services if one["name"] == "collector")
        # It says that it runs before it has tried to connect.
        return found if found["state"] == "running" and found["trouble"] else None

    with started("collect", "--data", "lake", cwd=tmp_path, variables=nowhere):
        report = until(collector, "what keeps the collector from its work")
    assert report["trouble"] == "not connected to the exchange"
    assert report["message"].startswith("running, but not connected to the exchange")
