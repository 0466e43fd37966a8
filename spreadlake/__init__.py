"""The library of spreadlake: what people import, and what every service stands on.

The services (`collector`, `analytics_job`, `exporter`, `notifier`) import it and never each other:
they meet in the lake.
"""

import os
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spreadlake.research.open_lake import OpenLake

__all__ = ["__version__", "open", "sample"]

__version__ = version("spreadlake")


def open(path: str | os.PathLike[str] = "data") -> "OpenLake":  # noqa: A001 as in gzip and tarfile
    """The lake in a folder or at `s3://bucket/prefix`, read-only; LakeError where none is.

    A folder may be read while services write it; in object storage a lake is as it was uploaded.

    >>> spreadlake.open("data")
    spreadlake.open('data')
    """
    from spreadlake.research.open_lake import OpenLake  # noqa: PLC0415 polars is slow to import

    return OpenLake(path)


def sample(path: str | os.PathLike[str] | None = None) -> "OpenLake":
    """A small lake without network: 25 hours of nine symbols of a simulated market.

    1m klines of 2026-11-01, and the trades of the hour after it. It comes with the package and is
    unpacked once, to `path` or to the user's cache.

    >>> spreadlake.sample().bars(wide="close").collect().shape  # times, and symbols beside it
    (1500, 10)
    """
    from spreadlake.research.open_lake import OpenLake  # noqa: PLC0415
    from spreadlake.research.sample import sample_folder  # noqa: PLC0415

    return OpenLake(sample_folder(path))
