"""The page of the lake: charts of any pair for whoever has no Grafana, served read-only."""
