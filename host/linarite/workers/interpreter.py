"""Which Python runs the app: the one that is asked for, else the active environment's, else the app's own, else ours."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from linarite.errors import OperatorError

_IN_ENVIRONMENT = Path("Scripts/python.exe") if sys.platform == "win32" else Path("bin/python")


SETTING = "languageWorkers:python:defaultExecutablePath"
"""Core Tools' setting for the app's interpreter."""


def find_python(folder: Path, chosen: Path | None, environment: Mapping[str, str], setting: str = "") -> Path:
    """The interpreter for the app in `folder`. `chosen` is what --python says, `setting` what SETTING does, `environment` the host's own.

    Only that it is there is looked at; whether it will do shows when it runs (see `ChildWorker.start`). Raises OperatorError.
    """
    if chosen is not None:
        return _chosen(chosen, "--python")
    if setting:
        return _chosen(Path(setting), SETTING)
    if active := environment.get("VIRTUAL_ENV"):
        return _of_environment(Path(active), "VIRTUAL_ENV")
    if (own := folder / ".venv").joinpath("pyvenv.cfg").is_file():
        return _of_environment(own, "The app's environment")
    return Path(sys.executable)


def _chosen(python: Path, what: str) -> Path:
    if python.is_dir():
        return _of_environment(python, what)
    if python.is_file():
        return python.absolute()
    if len(python.parts) == 1 and (found := shutil.which(str(python))):
        return Path(found)
    raise OperatorError(f"{what} {python}: there is no such interpreter. Give the path of one, or the folder of a virtual environment.")


def _of_environment(folder: Path, what: str) -> Path:
    """Not resolved: it is the place of the link that makes it the environment's Python."""
    python = folder.absolute() / _IN_ENVIRONMENT
    if not python.exists():
        raise OperatorError(f"{what} is {folder}, which has no working {_IN_ENVIRONMENT}. Make it anew, or choose a Python with --python.")
    return python
