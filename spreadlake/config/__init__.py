"""Settings from `spreadlake.toml` and the environment."""

from spreadlake.config.load import find_config, load_settings
from spreadlake.config.sections import AlertRule, KalmanSettings
from spreadlake.config.settings import Series, Settings

__all__ = ["AlertRule", "KalmanSettings", "Series", "Settings", "find_config", "load_settings"]
