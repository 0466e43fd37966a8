"""`spreadlake config`: a configuration to edit."""

from pathlib import Path
from typing import Annotated

import typer

from spreadlake.config.load import DEFAULT_FILE
from spreadlake.errors import InputError

config_app = typer.Typer(
    no_args_is_help=True, help="Write a configuration to edit.", add_completion=False
)


@config_app.callback()
def _group() -> None:
    """Write a configuration to edit."""


@config_app.command("init")
def init(
    file: Annotated[
        Path, typer.Argument(metavar="[FILE]", help="Where to; by default ./spreadlake.toml.")
    ] = DEFAULT_FILE,
) -> None:
    """Write every setting with its default and what it means, for you to change.

    A file that is there is never replaced.
    """
    from spreadlake.config.example import example_toml  # noqa: PLC0415 seldom wanted

    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(example_toml())
    except FileExistsError:
        raise InputError(
            f"{file} is there already; name another file, or remove it first"
        ) from None
    except OSError as error:
        raise InputError(f"cannot write {file}: {error.strerror}") from None
    typer.echo(f"wrote {file}: every setting with its default; keep what you change")
