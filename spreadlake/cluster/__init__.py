"""Tasks on a cluster of Dask: `open_tasks` gives them, and imports Dask only where one is named."""

from spreadlake.cluster.opened import open_tasks

__all__ = ["open_tasks"]
