"""What the services of spreadlake share: settings, the wire format, the lake and the commands.

The services (`collector`, `analytics_job`, `exporter`) import this package and never each other:
they meet in the lake.
"""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("spreadlake")
