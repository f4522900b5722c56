"""The sample app, in a folder of its own."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def copy_of_the_sample(folder: Path) -> Path:
    """Copy the app into an existing folder, which is returned."""
    for name in ("function_app.py", "host.json", "local.settings.json"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    (folder / "functions").mkdir()
    for path in (ROOT / "functions").glob("*.py"):
        (folder / "functions" / path.name).write_bytes(path.read_bytes())
    return folder
