"""Dashboards, alerts and their provisioning: what people see of spreadlake."""
