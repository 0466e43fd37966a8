"""What the commands have in common that set something by hand, for the analytics job to take."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from typer.core import TyperGroup

from spreadlake.lake import Lake
from spreadlake.status import as_copied, read_copied, read_service

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")

_MOST_ROWS = 40


class ListsAlone(TyperGroup):
    """A command with words that lists where none is given; whoever asks it to list is told so."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The word's command; a usage error that says what there is, where there is no such."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            words = " and ".join(self.list_commands(ctx))
            ctx.fail(
                f"No such command '{args[0]}'. There are {words}; {ctx.command_path} alone lists "
                "what there is."
            )
        return super().resolve_command(ctx, args)


JsonOption = Annotated[bool, typer.Option("--json", help="All of it as JSON.")]


def when_taken(lake: Lake) -> str:
    """When the job takes on what was just set."""
    service = read_service(lake.analytics_db, "analytics-job", time.time())
    (here,) = as_copied([service], read_copied(lake))
    running = here.state == "running"
    return "in a moment" if running else "when the analytics job runs next; it does not now"


def echo_json(lake: Lake, name: str, reports: Sequence["DataclassInstance"]) -> None:
    """Writes the reports under a name."""
    told: dict[str, Any] = {"lake": str(lake.root), name: [asdict(one) for one in reports]}
    typer.echo(json.dumps(told, indent=1, allow_nan=False))


def first_rows(title: str, reports: Sequence[T], *, every: bool) -> tuple[str, Sequence[T]]:
    """The rows of a table that are shown unless `every` one is asked for, and its title."""
    if every or len(reports) <= _MOST_ROWS:
        return title, reports
    return f"{title}: {_MOST_ROWS} of {len(reports)} rows (each of them: --all)", reports[
        :_MOST_ROWS
    ]
