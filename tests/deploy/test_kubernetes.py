"""deploy/kubernetes: every manifest is valid, confined, and starts what there is."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from spreadlake.config import load_settings
from tests.deploy.compose import SERVICES
from tests.deploy.parsing import is_setting, parsed
from tests.paths import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
FILES = sorted(FOLDER.rglob("*.yaml"))
LAYOUTS = ("single", "cluster")
# Of compose, for each container here.
SAME = {
    "collector": "collector",
    "store": "store",
    "analytics-job": "analytics-job",
    "exporter": "exporter",
    "uploader": "uploader",
    "capture": "capture-1",
    "redis": "redis",
    "objects": "objects",
    "scheduler": "scheduler",
    "worker": "worker",
}
CONFIG = "/etc/spreadlake/spreadlake.toml"


def documents(*layouts: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of all files, or of the common ones and those of some layouts."""
    for path in FILES:
        if not layouts or path.parent == FOLDER or path.parent.name in layouts:
            for one in yaml.safe_load_all(path.read_text("utf-8")):
                yield f"{path.relative_to(FOLDER)}:{one['kind']}/{one['metadata']['name']}", one


EVERY = dict(documents())
PODS = {
    name: one["spec"]["template"]["spec"]
    for name, one in EVERY.items()
    if "template" in str(one)
    if one["kind"] in ("Deployment", "StatefulSet")
}
CONTAINERS = {
    f"{pod}#{container['name']}": (spec, container)
    for pod, spec in PODS.items()
    for container in [*spec.get("initContainers", []), *spec["containers"]]
}
each_object = pytest.mark.parametrize("name", EVERY)
each_pod = pytest.mark.parametrize("name", PODS)
each_container = pytest.mark.parametrize("name", CONTAINERS)


@each_object
def test_the_api_server_would_take_it(name: str) -> None:
    """By the published schemas, without a field that they do not know."""
    kubernetes_validate.validate(EVERY[name], kubernetes_validate.latest_version(), strict=True)


@each_object
def test_it_is_in_our_namespace(name: str) -> None:
    one = EVERY[name]
    if one["kind"] == "Namespace":
        assert one["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    else:
        assert one["metadata"]["namespace"] == "spreadlake"
    assert one["kind"] != "Secret", "secrets are made by hand, and named here"


@each_pod
def test_a_pod_is_confined(name: str) -> None:
    spec = PODS[name]
    security = spec["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] > 0
    assert security["fsGroup"] == security["runAsGroup"] > 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}
    assert not [volume for volume in spec.get("volumes", []) if "hostPath" in volume]


@each_container
def test_a_container_is_confined_and_bounded(name: str) -> None:
    _, container = CONTAINERS[name]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    resources = container["resources"]
    assert resources["requests"].keys() == {"cpu", "memory"}
    assert "memory" in resources["limits"]


@each_container
def test_what_it_mounts_is_there(name: str) -> None:
    spec, container = CONTAINERS[name]
    pod = EVERY[name.partition("#")[0]]
    claims = pod["spec"].get("volumeClaimTemplates", [])
    volumes = {one["name"] for one in spec.get("volumes", [])}
    volumes |= {one["metadata"]["name"] for one in claims}
    assert {mount["name"] for mount in container["volumeMounts"]} <= volumes


@each_container
def test_image_and_user_are_those_of_compose(name: str) -> None:
    spec, container = CONTAINERS[name]
    theirs = SERVICES[SAME[container["name"]]] if container["name"] in SAME else SERVICES["objects"]
    image = theirs["image"]
    if isinstance(theirs.get("build"), dict):
        image = re.findall(r"^FROM (\S+)$", theirs["build"]["dockerfile_inline"], re.M)[0]
    assert container["image"] == image
    security = spec["securityContext"]
    assert theirs["user"] == f"{security['runAsUser']}:{security['runAsGroup']}"


OURS = [name for name, (_, one) in CONTAINERS.items() if one["image"] == "spreadlake:local"]


@pytest.mark.parametrize("name", OURS)
def test_commands_are_real_and_those_of_compose(name: str) -> None:
    _, container = CONTAINERS[name]
    theirs = SERVICES[SAME[container["name"]]]
    if container.get("command") == ["dask"]:
        assert theirs["entrypoint"] == ["dask"]
        assert container["args"][0] == theirs["command"][0] == container["name"]
        return
    values = parsed(container["args"])
    assert str(values["config"]) == CONFIG
    assert container["args"][0] == theirs["command"][0]
    for option in ("to", "source"):
        if values.get(option):
            assert values[option] in theirs["command"]


@each_container
def test_variables_are_settings(name: str) -> None:
    _, container = CONTAINERS[name]
    for variable in container.get("env", []):
        if variable["name"].startswith("SPREADLAKE_"):
            assert is_setting(variable["name"]), variable
        assert "SECRET" not in variable["name"] or "valueFrom" in variable


@each_container
def test_who_asks_the_bucket_in_compose_is_told_how_here_as_well(name: str) -> None:
    """Workers that read a lake need its old days, which are in the bucket alone."""
    _, container = CONTAINERS[name]
    theirs = SERVICES.get(SAME.get(container["name"], ""), {}).get("environment") or {}
    if "/single/" in f"/{name}" or "AWS_SECRET_ACCESS_KEY" not in theirs:
        return
    assert container["envFrom"] == [{"secretRef": {"name": "spreadlake-cold"}}]


@each_container
def test_it_says_whether_it_is_well(name: str) -> None:
    _, container = CONTAINERS[name]
    if container["name"] == "bucket":  # it ends
        return
    assert container.keys() >= {"startupProbe", "readinessProbe"}
    # One that was started again would lose what it has in memory while the log is away.
    assert ("livenessProbe" in container) == (container["name"] != "capture")
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = container.get(kind, {})
        if "httpGet" in probe:
            ports = {port["name"] for port in container["ports"]}
            assert probe["httpGet"]["port"] in ports
        elif "exec" in probe and container["image"] == "spreadlake:local":
            asked = SERVICES[SAME[container["name"]]]["healthcheck"]["test"][1:]
            words = [CONFIG if "spreadlake.toml" in word else word for word in asked]
            assert probe["exec"]["command"] == words


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_lake_has_one_writer(layout: str) -> None:
    """A set, which never runs two pods of one name, with all that writes on one volume."""
    (lake,) = [
        one
        for _, one in documents(layout)
        if one["kind"] == "StatefulSet" and one["metadata"]["name"] == "lake"
    ]
    assert lake["spec"]["replicas"] == 1
    writers = {one["name"] for one in lake["spec"]["template"]["spec"]["containers"]}
    assert writers >= {"analytics-job", "exporter"}
    assert writers & {"collector", "store"}
    for _, one in documents(layout):
        if one["kind"] == "Deployment" and "persistentVolumeClaim" in str(one):
            mounts = one["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
            read_only = all(m.get("readOnly") for m in mounts if m["name"] == "lake")
            recreated = one["spec"].get("strategy") == {"type": "Recreate"}
            assert recreated or (read_only and any(m["name"] == "lake" for m in mounts))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_services_and_policies_lead_to_pods(layout: str) -> None:
    labels = [
        one["spec"]["template"]["metadata"]["labels"]
        for _, one in documents(layout)
        if "template" in one.get("spec", {})
    ]
    for name, one in documents(layout):
        spec = one.get("spec", {})
        if one["kind"] == "Service":
            wanted = spec["selector"].items()
        elif one["kind"] == "NetworkPolicy":
            wanted = spec["podSelector"].get("matchLabels", {}).items()
        else:
            continue
        assert any(wanted <= held.items() for held in labels), name


def test_names_are_reached_where_they_are_asked_for() -> None:
    text = "".join(path.read_text("utf-8") for path in FILES)
    services = {one["metadata"]["name"] for one in EVERY.values() if one["kind"] == "Service"}
    assert set(re.findall(r"(?:redis|tcp|http)://([a-z-]+):\d+", text)) <= services


def test_the_configuration_is_one(tmp_path: Path) -> None:
    (one,) = [one for one in EVERY.values() if one["kind"] == "ConfigMap"]
    ((file, text),) = one["data"].items()
    assert CONFIG.endswith(file)
    tomllib.loads(text)
    path = tmp_path / file
    path.write_text(text, encoding="utf-8")
    assert load_settings(path).symbols


def test_the_page_of_operations_applies_it() -> None:
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    for layout in LAYOUTS:
        assert f"deploy/kubernetes/{layout}" in page
    secrets = set(re.findall(r"name: (spreadlake-\w+)}", "".join(p.read_text() for p in FILES)))
    assert secrets
    assert all(f"create secret generic {name}" in page for name in secrets)
