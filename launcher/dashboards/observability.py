"""Grafana and Prometheus for a lake: what to start, with which settings, and where they will be."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher.dashboards.grafana import grafana_variables
from launcher.supervisor.child import ChildSpec
from spreadlake.errors import ConfigError
from spreadlake.lake import Lake
from spreadlake.ports import check_listen, free_port

_HOST = "127.0.0.1"
_GRAFANA_PORT = 3000
_PROMETHEUS_PORT = 9090


@dataclass(frozen=True)
class Observability:
    """Children for the supervisor, and the addresses that they will have.

    `password_file` holds the password of Grafana's user `admin`.
    """

    specs: tuple[ChildSpec, ...]
    grafana_url: str
    prometheus_url: str
    password_file: Path


def plan_observability(
    lake: Lake,
    metrics_address: str,
    environment: Mapping[str, str] = os.environ,
    *,
    notifier: bool = False,
) -> Observability:
    """Grafana and Prometheus for `lake`, whose metrics are at `metrics_address` (host:port).

    Their own data goes to `grafana/` and `prometheus/` in the lake's folder; what the environment
    says about Grafana (`GF_…`) wins. With a `notifier` Grafana leaves the pairs' alerts to it.
    Raises ConfigError saying what to install if one is missing.
    """
    grafana, prometheus = find_executables()
    assets = assets_dir()
    port = _grafana_port(environment)
    scraper_url = f"http://{_HOST}:{_port_near(_PROMETHEUS_PORT)}"
    root = lake.root.resolve()
    scraper = prometheus_command(
        prometheus, root / "prometheus", assets, metrics_address, scraper_url
    )
    password_file = root / "grafana" / "admin-password"
    variables = grafana_variables(
        root, assets, password_file, port, scraper_url, environment, notifier=notifier
    )
    url = f"http://{_HOST}:{port}"
    specs = (
        ChildSpec("prometheus", lambda: _attached(scraper)),
        ChildSpec("grafana", lambda: _attached([grafana, "server"], url, password_file), variables),
    )
    return Observability(specs, url, scraper_url, password_file)


def find_executables() -> tuple[str, str]:
    """Of Grafana and of Prometheus; ConfigError saying what to install if one is missing."""
    found = {name: shutil.which(name) for name in ("grafana", "prometheus")}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise ConfigError(
            f"the dashboards need {' and '.join(missing)} on PATH; install Grafana 12 with its "
            "SQLite data source (grafana cli plugins install frser-sqlite-datasource) and "
            "Prometheus, or use docker compose, which brings both"
        )
    return str(found["grafana"]), str(found["prometheus"])


def _attached(
    command: Sequence[str], grafana_url: str | None = None, password_file: Path | None = None
) -> list[str]:
    """The command that runs `command` and ends it with us; with a URL it tells of Grafana."""
    checked = ["--grafana", grafana_url, str(password_file)] if grafana_url else []
    return [sys.executable, "-P", "-m", "launcher.dashboards.wrapper", *checked, "--", *command]


def _grafana_port(environment: Mapping[str, str]) -> int:
    chosen = environment.get("GF_SERVER_HTTP_PORT")
    return int(chosen) if chosen else _port_near(_GRAFANA_PORT)


def _port_near(usual: int) -> int:
    """The usual port, or a free one where something else listens on it."""
    try:
        check_listen(_HOST, usual)
    except ConfigError:
        return free_port(_HOST)
    return usual


_LAUNCHER = Path(__file__).resolve().parent.parent
_PLACES = (_LAUNCHER.parent / "grafana", _LAUNCHER / "assets")


def assets_dir() -> Path:
    """The folder with `provisioning/`, `dashboards/` and `prometheus/`."""
    for folder in _PLACES:
        if (folder / "provisioning").is_dir():
            return folder
    raise ConfigError(
        f"the dashboards are not there: no {' and no '.join(map(str, _PLACES))}; "
        "install spreadlake again, or use docker compose"
    )


# What stands in the shared prometheus.yml for docker-compose, where names are addresses.
_TARGET = "exporter:9464"
_RULES = "- rules.yml"


def prometheus_command(
    executable: str, folder: Path, assets: Path, metrics_address: str, url: str
) -> Sequence[str]:
    """The command that scrapes `metrics_address` and serves on `url`; data in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "prometheus.yml"
    shared = (assets / "prometheus" / "prometheus.yml").read_text("utf-8")
    rules = f"- {assets / 'prometheus' / 'rules.yml'}"
    config.write_text(shared.replace(_TARGET, metrics_address).replace(_RULES, rules), "utf-8")
    return [
        executable,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=15d",
        f"--web.listen-address={url.removeprefix('http://')}",
        "--log.level=warn",
    ]
