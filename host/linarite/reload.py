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

PATIENCE_S = 2.0
"""How long a load may still take once there is something newer to load; code that waits for something may take for ever."""


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


class Watch:
    """Notices what is saved below `folder`, on Linux from when it is made until `close`."""

    def __init__(self, folder: Path, watch_directories: Iterable[str] = (), watch_files: Iterable[str] = ()) -> None:
        self._folder = folder
        self._directories, self._files = tuple(watch_directories), tuple(watch_files)
        self._environments = {path.parent.name for path in folder.glob("*/pyvenv.cfg")}
        self._inotify = _inotify(folder, self._environments) if sys.platform == "linux" else None

    def close(self) -> None:
        """Watch no more."""
        if self._inotify is not None:
            self._inotify.close()

    async def changes(self) -> AsyncGenerator[Change, None]:
        """Settled bursts of saves that ask for something, until the iteration is closed."""
        async with contextlib.aclosing(self._bursts()) as bursts:
            async for burst in bursts:
                first = max(sorted(burst), key=self._asks_for, default=None)
                if first is not None and (scope := self._asks_for(first)) > Scope.NOTHING:
                    yield Change(scope, first)

    def _asks_for(self, path: Path) -> Scope:
        is_installed = path.relative_to(self._folder).parts[0] in self._environments
        return Scope.NOTHING if is_installed else scope_of(path, self._folder, self._directories, self._files)

    async def _bursts(self) -> AsyncGenerator[Collection[Path], None]:
        """Paths that were saved together."""
        if self._inotify is not None:
            async with contextlib.aclosing(self._inotify.bursts(DEBOUNCE_MS / 1000, LONGEST_BURST_MS / 1000)) as bursts:
                async for burst in bursts:
                    yield burst
            return
        from watchfiles import awatch

        async for found in awatch(self._folder, watch_filter=None, debounce=LONGEST_BURST_MS, step=DEBOUNCE_MS, recursive=True):
            yield [path for _, text in found if (path := Path(text)) != self._folder]


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
    """Owns the watching task; calls `load` for each settled burst, one at a time.

    A load that has not ended when the next burst comes is given a moment more, and then given up for that one.
    """

    def __init__(self, folder: Path, load: Callable[[Change], Awaitable[None]]) -> None:
        self._folder = folder
        self._load = load
        self._watch: Watch | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, watch_directories: Iterable[str] = (), watch_files: Iterable[str] = ()) -> None:
        """Begin to watch."""
        self._watch = watch = Watch(self._folder, watch_directories, watch_files)
        self._task = asyncio.create_task(self._follow(watch), name="reload")
        self._task.add_done_callback(_say_why)

    async def stop(self) -> None:
        """Stop watching; a load that is under way is cut short."""
        task, self._task = self._task, None
        if task is not None:
            await _cancelled(task)
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.close()

    async def _follow(self, watch: Watch) -> None:
        present: asyncio.Task[None] | None = None
        scope = Scope.NOTHING
        try:
            async with contextlib.aclosing(watch.changes()) as found:
                async for change in found:
                    if present is not None and not await _ends_soon(present):
                        log.warning("%s has changed; what was being loaded is given up for it.", change.path.relative_to(self._folder))
                        await _cancelled(present)
                        change = Change(max(change.scope, scope), change.path)
                    scope = change.scope
                    present = asyncio.create_task(self._load_one(change), name=f"load {change.path}")
        finally:
            if present is not None:
                await _cancelled(present)

    async def _load_one(self, change: Change) -> None:
        log.info("%s has changed", change.path)
        try:
            await self._load(change)
        except Exception:
            log.exception("Loading the change of %s failed", change.path)


def _say_why(ended: asyncio.Task[None]) -> None:
    if not ended.cancelled() and (problem := ended.exception()) is not None:
        log.error("Saved files are not noticed any more; start again to see to that: %s", problem, exc_info=problem)


async def _ends_soon(task: asyncio.Task[None]) -> bool:
    await asyncio.wait({task}, timeout=PATIENCE_S)
    return task.done()


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
