"""The way to the exchange: proxies, certificates, and what its failures mean."""
