"""Grafana and Prometheus beside a running pipeline, where they are installed."""

from spreadlake.observability.plan import Observability, plan_observability

__all__ = ["Observability", "plan_observability"]
