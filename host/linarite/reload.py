"""Notices saved files and says, once a burst has settled, what has to be loaded anew.

watchfiles does the watching; what a change means follows the Functions host: Python code anywhere below the app's folder, a few file
names, and watched directories.
Source: azure-functions-host, FileMonitoringService; functions-host section 8.4.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

log = logging.getLogger(__name__)

IGNORED_FOLDERS = frozenset(
    {
        *(".git", ".hg", ".linarite", ".azurite", "__pycache__", ".venv", "venv", "env", "node_modules"),
        *(".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox", ".nox"),
    }
)
"""Folders whose changes never matter. Virtual environments under other names are told by their `pyvenv.cfg`."""

SETTINGS_FILES = frozenset({"host.json", "local.settings.json", ".env"})
DEBOUNCE_MS = 50
"""How long a burst of saves may pause before it counts as over; editors write a file in several steps."""


class Scope(IntEnum):
    """How much has to be loaded anew; a larger one includes the smaller."""

    NOTHING = 0
    CODE = 1
    SETTINGS = 2


@dataclass(frozen=True, slots=True)
class Change:
    """What a burst of saves asks for, and the first file that asked for it."""

    scope: Scope
    path: Path


def scope_of(path: Path, folder: Path, watch_directories: Iterable[str] = (), watch_files: Iterable[str] = ()) -> Scope:
    """What one changed path asks for."""
    relative = path.relative_to(folder)
    if any(part in IGNORED_FOLDERS for part in relative.parts[:-1]):
        return Scope.NOTHING
    if len(relative.parts) == 1 and relative.name in SETTINGS_FILES:
        return Scope.SETTINGS
    if path.suffix == ".py" or path.name == "function.json" or path.name in watch_files:
        return Scope.CODE
    if any(relative.is_relative_to(directory) for directory in watch_directories):
        return Scope.CODE
    return Scope.NOTHING


async def changes(folder: Path, watch_directories: Iterable[str] = (), watch_files: Iterable[str] = ()) -> AsyncIterator[Change]:
    """Settled bursts of saves below `folder` that ask for something, until the iteration is closed."""
    from watchfiles import awatch

    environments = {path.parent.name for path in folder.glob("*/pyvenv.cfg")}
    directories, files = tuple(watch_directories), tuple(watch_files)

    def wanted(_: object, text: str) -> bool:
        path = Path(text)
        top = path.relative_to(folder).parts[:1]
        return not environments.intersection(top) and scope_of(path, folder, directories, files) > Scope.NOTHING

    async for burst in awatch(folder, watch_filter=wanted, debounce=DEBOUNCE_MS * 8, step=DEBOUNCE_MS, recursive=True):
        paths = sorted(Path(text) for _, text in burst)
        first = max(paths, key=lambda path: scope_of(path, folder, directories, files))
        yield Change(scope_of(first, folder, directories, files), first)


class Reloader:
    """Owns the watching task; calls `load` for each settled burst, one at a time."""

    def __init__(self, folder: Path, load: Callable[[Change], Awaitable[None]]) -> None:
        self._folder = folder
        self._load = load
        self._task: asyncio.Task[None] | None = None

    def start(self, watch_directories: Iterable[str] = (), watch_files: Iterable[str] = ()) -> None:
        """Begin to watch."""
        self._task = asyncio.create_task(self._watch(tuple(watch_directories), tuple(watch_files)), name="reload")

    async def stop(self) -> None:
        """Stop watching; a load that is under way is cut short."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _watch(self, directories: tuple[str, ...], files: tuple[str, ...]) -> None:
        async for change in changes(self._folder, directories, files):
            log.info("%s has changed", change.path)
            try:
                await self._load(change)
            except Exception:
                log.exception("Loading the change of %s failed", change.path)
