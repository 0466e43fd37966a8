"""The exporter: the lake's latest numbers as Prometheus metrics."""
