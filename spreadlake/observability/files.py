"""Where the provisioning, the dashboards and the rules are: in the checkout."""

from pathlib import Path

from spreadlake.errors import ConfigError

__all__ = ["assets_dir"]

_CHECKOUT = Path(__file__).resolve().parent.parent.parent


def assets_dir() -> Path:
    """The folder with `provisioning/`, `dashboards/` and `prometheus/`."""
    folder = _CHECKOUT / "grafana"
    if not (folder / "provisioning").is_dir():
        raise ConfigError(
            f"the dashboards are not there: no {folder}; "
            "run spreadlake from its checkout, or use docker compose"
        )
    return folder
