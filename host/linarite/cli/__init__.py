"""The command line: `linarite start`, and little else.

Kept light, since it is imported before anything useful happens: what a command needs is imported by that command.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from linarite import __version__
from linarite.errors import LinariteError


class _Failure(click.ClickException):
    """An error of ours: its sentence in red on stderr, exit code 1, no traceback."""

    def show(self, file: object = None) -> None:
        click.secho(self.message, fg="red", err=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-v", "--version", message="%(version)s")
def cli() -> None:
    """Run Azure Functions apps written in Python, without .NET."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the `linarite` command."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    from linarite.cli import azurite_command, settings_command, start

    start.register(cli)
    azurite_command.register(cli)
    settings_command.register(cli)
    try:
        cli.main(args=start.spread_functions(start.as_one_value(given)), prog_name="linarite", standalone_mode=False)
    except LinariteError as error:
        _Failure(str(error)).show()
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
