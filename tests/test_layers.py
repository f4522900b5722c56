"""A module imports only from layers above its own, or from its left on the same line of `LAYERS`."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

HOST = Path(__file__).parent.parent / "host"

LAYERS = """
timestamps timespans jsonc errors clock metadata invocation retries
settings identity windows_zones zones date_formats configuration host_json settings_files provenance
schedule expressions function_rules durable
storage
taskhub.protocol taskhub.sqlite taskhub.azure
dialects
bindings
workers
function_log invoker
dispatcher
listeners
web
azurite options storage_resolution hubs durable_app event_grid listening work equipment job_host inotify reload front host
embedding
cli pytest_plugin
"""

ORDER = {name: (row, column) for row, line in enumerate(LAYERS.strip().splitlines()) for column, name in enumerate(line.split())}
PURE = {"schedule", "expressions", "function_rules", "durable"}
IMPURE_MODULES = {"asyncio", "socket", "threading", "subprocess", "sqlite3", "time", "random", "os", "pathlib", "http", "urllib"}


def modules() -> list[tuple[str, Path]]:
    found = []
    for path in sorted((HOST / "linarite").rglob("*.py")):
        parts = path.relative_to(HOST / "linarite").with_suffix("").parts
        found.append((".".join(part for part in parts if part != "__init__"), path))
    return [(name, path) for name, path in found if name]


def layer(module: str) -> str | None:
    """The entry of LAYERS a module belongs to: itself, or the folder it is in."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        if (name := ".".join(parts[:length])) in ORDER:
            return name
    return None


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.append(node.module or "")
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


@pytest.mark.parametrize(("module", "path"), modules(), ids=[name for name, _ in modules()])
def test_a_module_imports_only_from_above_or_from_its_left(module: str, path: Path) -> None:
    own = layer(module)
    if own is None:
        assert module in ("taskhub", "__main__"), f"{module} is in no layer; say in LAYERS where it belongs"
        return
    for name in imports(path):
        assert not name.startswith("linarite_worker") or own == "workers", f"{module} imports {name}"
        if name.startswith("linarite."):
            other = layer(name.removeprefix("linarite."))
            if other is not None and other != own:
                row, column = ORDER[other]
                own_row, own_column = ORDER[own]
                assert row < own_row or (row == own_row and column < own_column), f"{module} imports {name}, which is not above it"


@pytest.mark.parametrize("module", sorted(PURE))
def test_pure_modules_touch_no_world(module: str) -> None:
    for name, path in modules():
        if layer(name) == module:
            touched = {imported.split(".")[0] for imported in imports(path)} & IMPURE_MODULES
            assert not touched, f"{name} imports {touched}"


def test_the_worker_uses_the_standard_library_and_azure_functions_only() -> None:
    import sys

    allowed = set(sys.stdlib_module_names) | {"azure", "azurefunctions", "linarite_worker"}
    for path in (HOST / "linarite_worker").rglob("*.py"):
        for name in imports(path):
            assert name.split(".")[0] in allowed, f"{path.name} imports {name}"
