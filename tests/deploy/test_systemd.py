"""deploy/systemd: the unit starts what there is, confined, and systemd takes it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.parsing import is_setting, parsed
from tests.paths import ROOT

UNIT = ROOT / "deploy" / "systemd" / "spreadlake.service"
TEXT = UNIT.read_text("utf-8")
ANALYSE = shutil.which("systemd-analyze")
NEEDS_SYSTEMD = pytest.mark.skipif(ANALYSE is None, reason="systemd-analyze is not installed")


def values(key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", TEXT, re.M)


def test_its_command_is_one_of_ours() -> None:
    (command,) = values("ExecStart")
    program, *arguments = command.split()
    assert program.endswith("/bin/spreadlake")
    assert str(parsed(arguments)["config"]).startswith("/etc/spreadlake/")
    for pair in values("Environment"):
        assert is_setting(pair.partition("=")[0])


def test_the_lake_is_where_it_may_write() -> None:
    (lake,) = [v.partition("=")[2] for v in values("Environment") if v.startswith("SPREADLAKE_D")]
    assert [f"/var/lib/{folder}" for folder in values("StateDirectory")] == [lake]
    assert values("ProtectSystem") == ["strict"]


def test_the_page_of_operations_installs_it() -> None:
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    for needed in ("deploy/systemd/spreadlake.service", "/opt/spreadlake", "/etc/spreadlake"):
        assert needed in page


@NEEDS_SYSTEMD
def test_systemd_takes_it(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    # Where it is installed on this machine nobody knows; that it can be run is looked at as well.
    unit.write_text(re.sub(r"(?m)^(ExecStart=)\S+", rf"\1{shutil.which('true')}", TEXT))
    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in told.stderr.splitlines() if UNIT.name in line]
    assert (told.returncode, ours) == (0, []), told.stderr


@NEEDS_SYSTEMD
def test_it_is_exposed_little() -> None:
    # Of 100: without any of its restrictions a service has 96.
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=20", str(UNIT)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout
