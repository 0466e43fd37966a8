"""What `--cluster` of commands opens, and what is said meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from spreadlake.cluster import open_tasks
from spreadlake.lake import Lake
from spreadlake.tasks import Tasks


@contextmanager
def cluster_tasks(cluster: str | None, lake: Lake) -> Iterator[Tasks]:
    """Tasks on a cluster, or (None) in this process; what goes wrong on it is told on stderr."""
    with open_tasks(cluster, lake, lambda text: typer.echo(f"cluster: {text}", err=True)) as tasks:
        yield tasks
