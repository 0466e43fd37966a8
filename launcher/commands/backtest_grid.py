"""The grid that `spreadlake backtest` is asked for."""

from typing import TYPE_CHECKING

import typer

from launcher.commands.options import was_typed
from spreadlake.errors import InputError

if TYPE_CHECKING:
    from spreadlake.quant.backtest.parameters import Value

_OPTIONS = {"exit": "exit_at"}  # names of options in the code, where they are other ones


def varied(
    context: typer.Context,
    grid: list[str] | None,
    more: list[str] | None,
    spans: tuple[str | None, str | None],
) -> "dict[str, list[Value]]":
    """The values of each parameter of --grid; empty where none is asked for.

    InputError for what belongs to a grid without one, and for a parameter that has an option too.
    """
    from spreadlake.quant.backtest.parameters import PARAMETERS, parse_grid  # noqa: PLC0415

    if not grid:
        if more:
            raise InputError(f"{' '.join(more)} is no option: values of a parameter follow --grid")
        if spans != (None, None):
            raise InputError("--train and --test choose among the sets of a grid: add --grid")
        return {}
    values = parse_grid([*grid, *(more or ())])
    for name in set(values) & set(PARAMETERS):
        if was_typed(context, _OPTIONS.get(name, name)):
            option = f"--{name.replace('_', '-')}"
            raise InputError(f"{option} and --grid {name}=: leave one of them out")
    return values
