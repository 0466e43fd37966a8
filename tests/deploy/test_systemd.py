"""deploy/systemd: the units start what there is, confined, and systemd takes them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.parsing import is_setting, parsed
from tests.paths import ROOT

FOLDER = ROOT / "deploy" / "systemd"
UNITS = {path.name: path.read_text("utf-8") for path in FOLDER.iterdir()}
ONE, PARTS = "spreadlake.service", "spreadlake@.service"
URL = "redis://127.0.0.1:6379/0"
# By the template, with what OPTIONS holds where a command needs some.
INSTANCES = {
    "collect": ["--to", URL],
    "store": ["--from", URL],
    "analyse": [],
    "export-metrics": [],
    "notify": [],
    "upload": [],
}
ANALYSE = shutil.which("systemd-analyze")
NEEDS_SYSTEMD = pytest.mark.skipif(ANALYSE is None, reason="systemd-analyze is not installed")


def values(unit: str, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", UNITS[unit], re.M)


def test_its_command_is_one_of_ours() -> None:
    (command,) = values(ONE, "ExecStart")
    program, *arguments = command.split()
    assert program.endswith("/bin/spreadlake")
    assert str(parsed(arguments)["config"]).startswith("/etc/spreadlake/")


@pytest.mark.parametrize("instance", INSTANCES)
def test_so_are_those_of_the_template(instance: str) -> None:
    (command,) = values(PARTS, "ExecStart")
    program, *arguments = command.replace("%i", instance).split()
    assert program.endswith("/bin/spreadlake")
    assert arguments.pop() == "$OPTIONS"
    given = parsed([*arguments, *INSTANCES[instance]])
    assert str(given["config"]).startswith("/etc/spreadlake/")
    assert "-/etc/spreadlake/%i.environment" in values(PARTS, "EnvironmentFile")


@pytest.mark.parametrize("unit", UNITS)
def test_the_lake_is_where_it_may_write(unit: str) -> None:
    given = values(unit, "Environment")
    assert all(is_setting(pair.partition("=")[0]) for pair in given)
    (lake,) = [v.partition("=")[2] for v in given if v.startswith("SPREADLAKE_D")]
    assert [f"/var/lib/{folder}" for folder in values(unit, "StateDirectory")] == [lake]
    assert values(unit, "ProtectSystem") == ["strict"]


def test_both_are_confined_alike() -> None:
    def hardening(unit: str) -> str:
        return UNITS[unit].partition("NoNewPrivileges=yes")[2]

    assert hardening(ONE) == hardening(PARTS)
    assert values(PARTS, "Conflicts") == [ONE]


def test_the_page_of_operations_installs_them() -> None:
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    needed = *(f"deploy/systemd/{unit}" for unit in UNITS), "/opt/spreadlake", "/etc/spreadlake"
    assert [one for one in needed if one not in page] == []
    assert [one for one in INSTANCES if f"spreadlake@{one}" not in page] == []


@NEEDS_SYSTEMD
@pytest.mark.parametrize("name", UNITS)
def test_systemd_takes_it(tmp_path: Path, name: str) -> None:
    unit = tmp_path / name.replace("@", "@store")
    # Where it is installed on this machine nobody knows; that it can be run is looked at as well.
    unit.write_text(re.sub(r"(?m)^(ExecStart=)\S+", rf"\1{shutil.which('true')}", UNITS[name]))
    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in told.stderr.splitlines() if unit.name in line]
    assert (told.returncode, ours) == (0, []), told.stderr


@NEEDS_SYSTEMD
@pytest.mark.parametrize("name", UNITS)
def test_it_is_exposed_little(tmp_path: Path, name: str) -> None:
    unit = tmp_path / name.replace("@", "@store")
    unit.write_text(UNITS[name])
    # Of 100: without any of its restrictions a service has 96.
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=20", str(unit)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout
