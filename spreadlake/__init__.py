"""The library of spreadlake: what people import, and what every service stands on.

The services (`collector`, `analytics_job`, `exporter`, `notifier`) import it and never each other:
they meet in the lake.
"""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("spreadlake")
