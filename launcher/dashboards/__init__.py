"""Grafana and Prometheus beside a running pipeline, where they are installed."""

from launcher.dashboards.observability import (
    Observability,
    find_executables,
    plan_observability,
)

__all__ = ["Observability", "find_executables", "plan_observability"]
