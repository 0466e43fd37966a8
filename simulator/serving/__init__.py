"""Serving a source: routes, subscriptions, REST, limits, pace."""
