"""`linarite settings`: what is set for the app, and which file, line or variable set it; secrets masked."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from linarite.cli.start import app_folder

if TYPE_CHECKING:
    from linarite.configuration import Row

_WIDEST = 48
"""A wider value pushes its origin to the right, in its own line only."""


def register(cli: click.Group) -> None:
    """Add the command to the command line."""
    cli.add_command(_settings)


@click.command("settings")
@click.option("--script-root", "--prefix", type=click.Path(path_type=Path), help="The app's folder.  [default: here, or above]")
@click.option("--json", "as_json", is_flag=True, help="A JSON array instead of a table.")
def _settings(script_root: Path | None, as_json: bool) -> None:
    """Show the app's settings and where each comes from, secrets masked."""
    from linarite.provenance import setting_rows
    from linarite.settings_files import read_settings

    rows = setting_rows(read_settings(app_folder(script_root), os.environ))
    if as_json:
        click.echo(json.dumps([row._asdict() for row in rows], ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(table(rows)))


def table(rows: Sequence[Row]) -> list[str]:
    """Three columns under their headings, a line for each setting."""
    lines = [("SETTING", "VALUE", "FROM"), *((row.name, _one_line(row.value), row.origin) for row in rows)]
    name_width = max(len(name) for name, _, _ in lines)
    value_width = min(max(len(value) for _, value, _ in lines), _WIDEST)
    return [f"{name:{name_width}}  {value:{value_width}}  {origin}" for name, value, origin in lines]


def _one_line(value: str) -> str:
    return value.replace("\r", "\\r").replace("\n", "\\n")
