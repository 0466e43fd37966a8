"""Settings from `spreadlake.toml` and the environment."""

from spreadlake.config.accepted import AcceptedCopy
from spreadlake.config.alerting import AlertRule
from spreadlake.config.load import find_config, load_settings
from spreadlake.config.sections import KalmanSettings
from spreadlake.config.settings import Settings
from spreadlake.config.watch import ConfigWatch, watch_config

__all__ = [
    "AcceptedCopy",
    "AlertRule",
    "ConfigWatch",
    "KalmanSettings",
    "Settings",
    "find_config",
    "load_settings",
    "watch_config",
]
