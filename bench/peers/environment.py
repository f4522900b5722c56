"""Where the peers are installed: `.bench/` beside this project's files, by `pip` and `npm`, at pinned versions, when first asked for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / ".bench"


def python_with(name: str, *requirements: str) -> Path:
    """The interpreter of a virtual environment that holds these packages."""
    folder = FOLDER / name
    python = folder / "bin" / "python"
    if not _is_installed(folder, requirements):
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements], check=True)
        _note(folder, requirements)
    return python


def npm_package(name: str, requirement: str) -> Path:
    """The `node_modules` folder that holds this package."""
    folder = FOLDER / name
    if not _is_installed(folder, (requirement,)):
        npm = shutil.which("npm")
        if npm is None:
            raise SystemExit("--peers needs npm, to install Restate's server. Install Node.js 20 or later.")
        subprocess.run(
            [npm, "install", "--prefix", folder, "--no-audit", "--no-fund", "--silent", "--ignore-scripts", requirement], check=True
        )
        _note(folder, (requirement,))
    return folder / "node_modules"


def _is_installed(folder: Path, requirements: tuple[str, ...]) -> bool:
    stamp = folder / "installed.txt"
    return stamp.exists() and stamp.read_text("utf-8").split() == list(requirements)


def _note(folder: Path, requirements: tuple[str, ...]) -> None:
    (folder / "installed.txt").write_text("\n".join(requirements), "utf-8")
