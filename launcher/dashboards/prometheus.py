"""Prometheus' configuration and command for a lake."""

from collections.abc import Sequence
from pathlib import Path

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
