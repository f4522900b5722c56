"""`linarite azurite`: bring the storage emulator along."""

from __future__ import annotations

import click


def register(cli: click.Group) -> None:
    """Add the commands to the command line."""
    cli.add_command(_azurite)


@click.group("azurite")
def _azurite() -> None:
    """Azurite, Microsoft's storage emulator."""


@_azurite.command("install")
def _install() -> None:
    """Install it into this Python environment, from the npm registry."""
    from linarite.azurite import VERSION, install

    click.echo(f"Azurite {VERSION}: {install()}")
