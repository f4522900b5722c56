"""Notices saved files and says, once a burst has settled, what has to be loaded anew.

On Linux the kernel tells of them; elsewhere watchfiles looks, twenty times a second. What a change means follows the Functions host:
Python code anywhere below the app's folder, a few file names, and watched directories.
Source: azure-functions-host, FileMonitoringService; functions-host section 8.4.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import platform
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from linarite.inotify import Inotify

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
LONGEST_BURST_MS = 400
"""After which a burst counts as over anyway."""


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


async def changes(folder: Path, watch_directories: Iterable[str] = (), watch_files: Iterable[str] = ()) -> AsyncGenerator[Change, None]:
    """Settled bursts of saves below `folder` that ask for something, until the iteration is closed."""
    environments = {path.parent.name for path in folder.glob("*/pyvenv.cfg")}
    directories, files = tuple(watch_directories), tuple(watch_files)

    def asks_for(path: Path) -> Scope:
        is_installed = path.relative_to(folder).parts[0] in environments
        return Scope.NOTHING if is_installed else scope_of(path, folder, directories, files)

    async with contextlib.aclosing(_bursts(folder, environments)) as bursts:
        async for burst in bursts:
            first = max(sorted(burst), key=asks_for, default=None)
            if first is not None and (scope := asks_for(first)) > Scope.NOTHING:
                yield Change(scope, first)


async def _bursts(folder: Path, environments: Collection[str]) -> AsyncGenerator[Collection[Path], None]:
    """Paths below `folder` that were saved together."""
    watched = _inotify(folder, environments) if sys.platform == "linux" else None
    if watched is not None:
        with contextlib.closing(watched):
            async with contextlib.aclosing(watched.bursts(DEBOUNCE_MS / 1000, LONGEST_BURST_MS / 1000)) as bursts:
                async for burst in bursts:
                    yield burst
        return
    from watchfiles import awatch

    async for found in awatch(folder, watch_filter=None, debounce=LONGEST_BURST_MS, step=DEBOUNCE_MS, recursive=True):
        yield [path for _, text in found if (path := Path(text)) != folder]


def _inotify(folder: Path, environments: Collection[str]) -> Inotify | None:
    """The kernel's watches, or None where there are none: other people's file systems, or so many folders that they run out."""
    if os.environ.get("WATCHFILES_FORCE_POLLING") or "microsoft-standard" in platform.release():
        return None
    try:
        return Inotify(folder, lambda path: path.name in IGNORED_FOLDERS or (path.parent == folder and path.name in environments))
    except OSError as problem:
        log.warning("Saved files are looked for, since the system does not tell of them: %s (fs.inotify.max_user_watches).", problem)
        return None


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
        async with contextlib.aclosing(changes(self._folder, directories, files)) as found:
            async for change in found:
                log.info("%s has changed", change.path)
                try:
                    await self._load(change)
                except Exception:
                    log.exception("Loading the change of %s failed", change.path)
