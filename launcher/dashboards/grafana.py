"""Grafana's settings for a lake, as environment variables."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from launcher.dashboards.provisioning import with_links

_ADDRESSES = ("SPREADLAKE_EMAIL_TO", "SPREADLAKE_SLACK_URL", "SPREADLAKE_WEBHOOK_URL")


def grafana_variables(
    root: Path,
    assets: Path,
    password_file: Path,
    port: int,
    prometheus_url: str,
    environment: Mapping[str, str],
    *,
    notifier: bool = False,
) -> dict[str, str]:
    """The variables for `grafana server` on the lake in `root`; those of `environment` win.

    With a `notifier` beside it Grafana tells nobody of the pairs' alerts.

    Whoever reaches the loopback port may look without logging in, but change nothing; unless
    alerts go to an address, which whoever looks could read in the notification policies.
    """
    make_password(password_file)
    own = root / "grafana"
    settings = {
        "GF_PATHS_PROVISIONING": str(own / "provisioning"),
        "GF_PATHS_DATA": str(own),
        "GF_PATHS_LOGS": str(own / "log"),
        "GF_LOG_MODE": "file",
        "GF_SERVER_HTTP_ADDR": "127.0.0.1",
        "GF_SERVER_HTTP_PORT": str(port),
        "GF_SERVER_ROOT_URL": f"http://127.0.0.1:{port}/",
        "GF_SECURITY_ADMIN_PASSWORD": f"$__file{{{password_file}}}",
        "GF_AUTH_ANONYMOUS_ENABLED": str(not any(map(environment.get, _ADDRESSES))).lower(),
        "GF_USERS_ALLOW_SIGN_UP": "false",
        "GF_USERS_DEFAULT_THEME": "dark",
        "GF_DASHBOARDS_MIN_REFRESH_INTERVAL": "1s",
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": str(
            assets / "dashboards" / "spreadlake-pair.json"
        ),
        "GF_UNIFIED_ALERTING_ALERTMANAGER_CONFIG_POLL_INTERVAL": "10s",
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "GF_NEWS_NEWS_FEED_ENABLED": "false",
    }
    chosen = {name: environment.get(name, value) for name, value in settings.items()}
    with_links(assets / "provisioning", own / "provisioning", chosen["GF_SERVER_ROOT_URL"])
    return chosen | {
        "SPREADLAKE_DATA": str(root),
        "SPREADLAKE_DASHBOARDS": str(assets / "dashboards"),
        "PROMETHEUS_URL": prometheus_url,
        "SPREADLAKE_NOTIFIER": "on" if notifier else "",
    }


def make_password(path: Path) -> None:
    """Writes a new random password to `path`, readable by its owner, unless there is one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(18))
