"""Which lake a command reads: that of a folder, or one in object storage."""

import typer

from spreadlake.lake import Lake
from spreadlake.lake.places import lake_at


def lake_to_read(place: str) -> Lake:
    """The lake at `--data`; of one in object storage it is told where it ends. LakeError: none."""
    lake = lake_at(place)
    if is_remote(place):
        from spreadlake.lake.cold.opening import reach_of  # noqa: PLC0415 few lakes are there

        ends = ", ".join(f"{of} to {end:%Y-%m-%dT%H:%MZ}" for of, end in reach_of(lake).items())
        if ends:
            typer.echo(f"{place} reaches, {ends}", err=True)
    return lake


def is_remote(place: str) -> bool:
    """Whether it is no folder, and can only be read."""
    return "://" in place
