"""Where the provisioning, the dashboards and the rules are: in the checkout, or in the wheel."""

from pathlib import Path

from spreadlake.errors import ConfigError

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
