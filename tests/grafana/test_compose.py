"""docker-compose.yml: safe by default, and everything in it exists."""

import re
import subprocess
from pathlib import Path

import pytest

from launcher.dashboards.provisioning import with_links
from tests.deploy.compose import (
    COMMANDS,
    COMPOSE,
    IMAGE,
    OURS,
    SERVICES,
    environment,
    filled,
    variables_of,
)
from tests.deploy.parsing import is_setting, parsed
from tests.paths import PACKAGES, ROOT

EVERY = pytest.mark.parametrize("name", SERVICES)


def test_the_live_services_need_no_profile_and_the_simulator_needs_one() -> None:
    live = {name for name, service in SERVICES.items() if "profiles" not in service}
    assert live == {"collector", "analytics-job", "exporter", "prometheus", "grafana"}
    assert SERVICES["simulator"]["profiles"] == ["demo"]
    assert SERVICES["notifier"]["profiles"] == ["notify"]


@EVERY
def test_a_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert not service["user"].startswith(("0", "root"))
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert service["networks"] == ["spreadlake"]
    assert service["healthcheck"]["test"][0] == "CMD"


@EVERY
def test_ports_are_on_loopback(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)


@EVERY
def test_images_and_the_plugin_are_pinned(name: str) -> None:
    image = SERVICES[name]["image"]
    pinned = r"[\w/]+:v?\d+\.\d+\.\d+(-alpine)?"
    inline = SERVICES[name].get("build", "")
    if isinstance(inline, dict):
        assert re.search(rf"^FROM {pinned}$", inline["dockerfile_inline"], re.M)
    else:
        assert image == IMAGE or re.fullmatch(pinned, image)
    if name == "grafana":
        assert re.fullmatch(
            r"frser-sqlite-datasource@\d+\.\d+\.\d+",
            SERVICES[name]["environment"]["GF_PLUGINS_PREINSTALL_SYNC"],
        )


def test_there_is_no_default_password() -> None:
    wanted = SERVICES["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"]
    assert re.fullmatch(r"\$\{GF_SECURITY_ADMIN_PASSWORD:\?.*no default.*\}", wanted)
    assert SERVICES["grafana"]["environment"]["GF_AUTH_ANONYMOUS_ENABLED"] == "false"


@EVERY
def test_mounts_come_from_the_checkout_or_a_declared_volume(name: str) -> None:
    for mount in SERVICES[name].get("volumes", []):
        source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", mount).split(":")[0]
        if source.startswith("./"):
            assert (ROOT / source).exists(), mount
        else:
            assert source in COMPOSE["volumes"], mount


@EVERY
def test_services_wait_for_services_that_exist(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        assert other in SERVICES
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        theirs = SERVICES[other].get("profiles")
        if theirs not in (None, SERVICES[name].get("profiles")):
            assert how["required"] is False


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_are_real(name: str) -> None:
    parsed([filled(word, {}) for word in SERVICES[name]["command"]])


# A store is a mode of the collector; a capture has no lake, and is asked for in the log.
CHECKED = {"store": "collector", "capture-1": "capture", "capture-2": "capture"}


@pytest.mark.parametrize("name", OURS)
def test_health_is_asked_of_the_service_itself(name: str) -> None:
    *python, module, service = SERVICES[name]["healthcheck"]["test"][:5]
    assert (python, service) == (["CMD", "python", "-m"], CHECKED.get(name, name))
    assert (ROOT / module.replace(".", "/")).with_suffix(".py").exists()


@EVERY
def test_variables_are_known(name: str) -> None:
    for variable in environment(SERVICES[name]):
        if variable.startswith("SPREADLAKE_"):
            assert is_setting(variable), variable


def test_the_demo_goes_to_the_simulator_and_says_so() -> None:
    demo = variables_of("demo.env")
    assert demo["COMPOSE_PROFILES"] == "demo"
    port = SERVICES["simulator"]["command"][-1]
    passed = environment(SERVICES["collector"])
    for key, scheme in (("WS", "ws"), ("REST", "http")):
        name = f"SPREADLAKE_EXCHANGE__{key}_URL"
        assert demo[name] == f"{scheme}://simulator:{port}"
        assert name in passed
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    assert all(name in text or name.startswith("COMPOSE_") for name in demo)


def test_the_notifier_takes_the_pairs_alerts_from_grafana() -> None:
    assert variables_of("notify.env") == {
        "COMPOSE_PROFILES": SERVICES["notifier"]["profiles"][0],
        "SPREADLAKE_NOTIFIER": "on",
    }
    told = environment(SERVICES["grafana"])["SPREADLAKE_NOTIFIER"]
    assert told == "${SPREADLAKE_NOTIFIER:-}"


def test_grafana_reads_the_lake_and_cannot_write_it() -> None:
    mounts = SERVICES["grafana"]["volumes"]
    assert "lake:/lake:ro" in mounts
    group = SERVICES["collector"]["user"].split(":")[1]
    assert SERVICES["grafana"]["group_add"] == [group]
    assert "lake:/lake" in SERVICES["exporter"]["volumes"], "it keeps the empty log, see there"


@pytest.mark.parametrize("address", ["", "https://desk.example/grafana", "http://10.0.0.7:3000/"])
def test_grafana_is_given_links_to_the_runbook(tmp_path: Path, address: str) -> None:
    """Its entrypoint as it stands, with folders of this machine, and a last word of the test."""
    service = SERVICES["grafana"]
    shell, option, script = service["entrypoint"]
    assert script.endswith(" exec /run.sh")
    own = tmp_path / "tmp" / "provisioning"
    own.parent.mkdir()
    script = script.replace("$$", "$").replace("/tmp/", f"{own.parent}/")
    script = script.removesuffix("exec /run.sh") + 'echo "$GF_PATHS_PROVISIONING"'
    given = environment(service)["GF_SERVER_ROOT_URL"]
    assert given is not None
    root = filled(given, {"GF_SERVER_ROOT_URL": address})
    mounts = dict(mount.split(":")[1::-1] for mount in service["volumes"])
    mounted = mounts[environment(service)["GF_PATHS_PROVISIONING"]]
    variables = {"GF_SERVER_ROOT_URL": root, "GF_PATHS_PROVISIONING": str(ROOT / mounted)}
    for _ in ("started", "started again"):
        told = subprocess.run(
            [shell, option, script], env=variables, capture_output=True, text=True, check=True
        )
        assert told.stdout.strip() == str(own)
    wanted = with_links(ROOT / mounted, tmp_path / "wanted", root)
    files = [path for path in wanted.rglob("*") if path.is_file()]
    assert {path: (own / path.relative_to(wanted)).read_text("utf-8") for path in files} == {
        path: path.read_text("utf-8") for path in files
    }
    assert f"runbook_url: '{root.rstrip('/')}/d/" in (own / "alerting/rules.yaml").read_text(
        "utf-8"
    )


def test_the_image_copies_what_exists_and_what_is_not_ignored() -> None:
    kept = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.M)
    assert set(PACKAGES) <= set(" ".join(copied).split())
    for source in " ".join(copied).split():
        assert Path(ROOT / source).exists(), source
        assert f"!{source}" in kept, source
    user = re.search(r"^USER (.+)$", (ROOT / "Dockerfile").read_text(), re.M)
    assert user is not None
    assert user[1] == SERVICES["collector"]["user"]
