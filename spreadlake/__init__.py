"""The library of spreadlake: what people import, and what every service stands on.

The services (`collector`, `analytics_job`, `exporter`, `notifier`) import it and never each other:
they meet in the lake.
"""

import os
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spreadlake.research.open_lake import OpenLake

__all__ = ["__version__", "open"]

__version__ = version("spreadlake")


def open(path: str | os.PathLike[str] = "data") -> "OpenLake":  # noqa: A001 as in gzip and tarfile
    """The lake in a folder, to be read also while services write it; LakeError where none is."""
    from spreadlake.research.open_lake import OpenLake  # noqa: PLC0415 polars is slow to import

    return OpenLake(path)
