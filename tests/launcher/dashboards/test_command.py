"""`--grafana` on the command line."""

from pathlib import Path

import pytest

from tests.running import invoke


@pytest.mark.parametrize("command", ["up", "demo"])
def test_what_to_install_is_said_before_anything_starts(tmp_path: Path, command: str) -> None:
    variables = {"PATH": "", "SPREADLAKE_EXPORTER__PORT": "0"}
    done = invoke(command, "--grafana", "--data", "lake", cwd=tmp_path, variables=variables)
    assert done.returncode == 2
    assert done.stderr.startswith(
        "spreadlake: error: the dashboards need grafana and prometheus on PATH"
    )
    assert "install Grafana 12" in done.stderr
    assert not (tmp_path / "lake").exists()
