"""Tells people about alerts without Grafana: each event once, to every address of `[notify]`."""
