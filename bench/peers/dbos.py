"""dbos on SQLite. It is a library, so its work is started and awaited in the process that does it, without HTTP."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from bench.orchestrations import Figures
from bench.peers.environment import python_with

_VERSION = "3.4.0"
NAME = f"dbos {_VERSION}, SQLite"


def figures(scratch: Path) -> Figures:
    """dbos's figures; its database lies in `scratch`."""
    python = python_with("dbos", f"dbos=={_VERSION}")
    command = [str(python), "-m", "bench.peers.dbos_workflows", f"sqlite:///{scratch / 'dbos.sqlite'}", str(scratch / "figures.json")]
    subprocess.run(command, cwd=Path(__file__).parents[2], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return Figures(**json.loads((scratch / "figures.json").read_text("utf-8")))
