"""What `--grafana` starts, and what is said where it cannot."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from launcher.dashboards import Observability, plan_observability
from launcher.supervisor.child import Child, ChildSpec
from spreadlake.errors import ConfigError
from spreadlake.lake import Lake
from tests.paths import ROOT
from tests.patience import PATIENCE
from tests.running import until

# A program that says what it was started with, and runs until it is told to end.
_PROGRAM = """#!{python}
import os, sys, signal, time
print("started", *sys.argv[1:], flush=True)
{behaviour}
"""


def program(folder: Path, name: str, behaviour: str = "signal.pause()") -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(_PROGRAM.format(python=sys.executable, behaviour=behaviour))
    path.chmod(0o755)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on PATH with a grafana and a prometheus that do nothing."""
    folder = tmp_path / "bin"
    for name in ("grafana", "prometheus"):
        program(folder, name)
    monkeypatch.setenv("PATH", str(folder))
    return folder


def plan(tmp_path: Path, **environment: str) -> Observability:
    return plan_observability(Lake(tmp_path / "lake"), "127.0.0.1:1234", environment)


@pytest.mark.parametrize("there", ["grafana", "prometheus", None])
def test_what_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str | None
) -> None:
    if there:
        program(tmp_path / "bin", there)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(
        ConfigError, match="install Grafana 12 with its SQLite data source"
    ) as error:
        plan(tmp_path)
    named = str(error.value).split(" on PATH")[0]
    assert ("grafana" in named.removeprefix("--grafana")) == (there != "grafana")
    assert ("prometheus" in named) == (there != "prometheus")
    assert not (tmp_path / "lake").exists()


def test_prometheus_scrapes_the_exporter_by_the_shared_rules(
    tmp_path: Path, installed: Path
) -> None:
    found = plan(tmp_path)
    command = found.specs[0].command()
    config = tmp_path / "lake" / "prometheus" / "prometheus.yml"
    assert f"--config.file={config}" in command
    text = config.read_text("utf-8")
    assert 'targets: ["127.0.0.1:1234"]' in text
    assert f"- {ROOT / 'grafana' / 'prometheus' / 'rules.yml'}\n" in text
    address = found.prometheus_url.removeprefix("http://")
    assert f"--web.listen-address={address}" in command
    assert address.startswith("127.0.0.1:")


def test_grafana_gets_the_same_provisioning_as_in_docker(tmp_path: Path, installed: Path) -> None:
    found = plan(tmp_path)
    variables = found.specs[1].environment
    assert variables["SPREADLAKE_DATA"] == str(tmp_path / "lake")
    assert variables["SPREADLAKE_DASHBOARDS"] == str(ROOT / "grafana" / "dashboards")
    shared, own = ROOT / "grafana" / "provisioning", Path(variables["GF_PATHS_PROVISIONING"])
    for path in (path for path in shared.rglob("*") if path.is_file()):
        text = (own / path.relative_to(shared)).read_text("utf-8")
        links = f"runbook_url: '{found.grafana_url}/d/"
        assert text.replace(links, "runbook_url: '{{ externalURL }}d/") == path.read_text("utf-8")
    assert variables["PROMETHEUS_URL"] == found.prometheus_url
    assert variables["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    assert variables["GF_DASHBOARDS_MIN_REFRESH_INTERVAL"] == "1s"
    assert Path(variables["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]).exists()
    assert found.grafana_url == f"http://127.0.0.1:{variables['GF_SERVER_HTTP_PORT']}"


def test_on_the_page_of_a_rule_the_runbook_is_a_link(tmp_path: Path, installed: Path) -> None:
    """Grafana shows there what is provisioned, and expands nothing."""

    def links(**environment: str) -> set[str]:
        own = plan(tmp_path, **environment).specs[1].environment["GF_PATHS_PROVISIONING"]
        rules = yaml.safe_load((Path(own) / "alerting" / "rules.yaml").read_text("utf-8"))
        annotated = [rule["annotations"] for group in rules["groups"] for rule in group["rules"]]
        return {one["runbook_url"].partition("d/spreadlake-runbook")[0] for one in annotated}

    assert links(GF_SERVER_HTTP_PORT="3456") == {"http://127.0.0.1:3456/"}
    assert links(GF_SERVER_ROOT_URL="https://desk.example/grafana") == {
        "https://desk.example/grafana/"
    }
    assert links(GF_SERVER_ROOT_URL="%(protocol)s://%(domain)s/") == {"{{ externalURL }}"}


def test_the_password_is_random_private_and_stays(tmp_path: Path, installed: Path) -> None:
    path = plan(tmp_path).password_file
    password = path.read_text()
    assert len(password) >= 20
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert plan(tmp_path).password_file.read_text() == password
    variables = plan(tmp_path).specs[1].environment
    assert password not in str(variables)
    other = plan_observability(Lake(tmp_path / "other"), "127.0.0.1:1", {})
    assert other.password_file.read_text() != password


def test_looking_needs_a_login_only_where_there_is_something_to_hide(
    tmp_path: Path, installed: Path
) -> None:
    def anonymous(**environment: str) -> str:
        return plan(tmp_path, **environment).specs[1].environment["GF_AUTH_ANONYMOUS_ENABLED"]

    assert anonymous() == "true"
    assert anonymous(SPREADLAKE_SLACK_URL="https://example.com/secret") == "false"
    assert anonymous(SPREADLAKE_WEBHOOK_URL="https://example.com/secret") == "false"


def test_the_users_own_settings_of_grafana_win(tmp_path: Path, installed: Path) -> None:
    found = plan(tmp_path, GF_SERVER_HTTP_PORT="4321", GF_USERS_DEFAULT_THEME="light")
    assert found.grafana_url == "http://127.0.0.1:4321"
    assert found.specs[1].environment["GF_USERS_DEFAULT_THEME"] == "light"


def test_a_port_in_use_is_not_taken(tmp_path: Path, installed: Path) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 3000))
            taken.listen()
        except OSError:
            pass  # somebody else has it: as good
        assert plan(tmp_path).grafana_url != "http://127.0.0.1:3000"


def spec_of(folder: Path, behaviour: str = "signal.pause()") -> ChildSpec:
    program(folder, "prog", behaviour)
    command = [sys.executable, "-P", "-m", "launcher.dashboards.wrapper"]
    return ChildSpec("prog", lambda: [*command, "--", str(folder / "prog"), "--flag", "value"])


def test_a_wrapped_program_ends_well_when_told_to(tmp_path: Path) -> None:
    lines: list[str] = []
    child = Child(spec_of(tmp_path / "bin"), lines.append)
    child.start()
    until(lambda: "started --flag value" in lines, "the program's first line")
    child.terminate()
    assert child.wait(PATIENCE)
    assert child.exit_code == 0


@pytest.mark.parametrize("code", [0, 1, 2])
def test_a_program_that_ends_by_itself_is_told_and_started_again(tmp_path: Path, code: int) -> None:
    lines: list[str] = []
    child = Child(spec_of(tmp_path / "bin", f"sys.exit({code})"), lines.append)
    child.start()
    assert child.wait(PATIENCE)
    assert child.exit_code == 1, "2 would stop the whole pipeline"
    assert any(f"ended by itself with exit code {code}" in line for line in lines)


def test_a_wrapped_program_ends_with_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    behaviour = f"open({str(pid_file)!r}, 'w').write(str(os.getpid()))\nsignal.pause()"
    command = spec_of(tmp_path / "bin", behaviour).command()
    environment = {**os.environ, "SPREADLAKE_SUPERVISED": "1"}
    wrapper = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
    pid = int(until(lambda: pid_file.read_text() if pid_file.exists() else "", "the program"))
    assert wrapper.stdin is not None
    wrapper.stdin.close()  # what happens when the other end's process is gone
    assert wrapper.wait(PATIENCE) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
