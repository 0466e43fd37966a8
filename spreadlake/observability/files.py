"""Where the provisioning, dashboards and rules are: in the checkout, or in the package."""

from pathlib import Path

from spreadlake.errors import ConfigError

__all__ = ["assets_dir"]

_PACKAGE = Path(__file__).resolve().parent


def assets_dir() -> Path:
    """The folder with `provisioning/`, `dashboards/` and `prometheus/`."""
    for folder in (_PACKAGE / "assets", _PACKAGE.parent.parent / "grafana"):
        if (folder / "provisioning").is_dir():
            return folder
    raise ConfigError(
        f"the folder of the dashboards is neither in {_PACKAGE} nor in "
        f"{_PACKAGE.parent.parent / 'grafana'}; run spreadlake from its checkout, or install it again"
    )
