"""Saved files below a folder, as Linux tells of them: nothing runs until there is one.

What a change means is not known here. Source: inotify(7).
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path

from linarite.clock import SystemClock, within

_CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x8, 0x40, 0x80, 0x100, 0x200
_OVERFLOW, _IGNORED = 0x4000, 0x8000
_ONLY_FOLDERS, _IS_FOLDER = 0x1000000, 0x40000000
_WANTED = _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _ONLY_FOLDERS

_HEADER = struct.Struct("iIII")
_READ_BYTES = 65_536


class Inotify:
    """Watches `folder` and the folders below it but those that `is_ignored`, from when it is made until `close`.

    Raises OSError if the system has no more watches to give. Belongs to the running loop.
    """

    def __init__(self, folder: Path, is_ignored: Callable[[Path], bool]) -> None:
        self._folder = folder
        self._is_ignored = is_ignored
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._folders: dict[int, Path] = {}
        self._has_news = asyncio.Event()
        self._file = self._checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        try:
            self._watch(folder)
            asyncio.get_running_loop().add_reader(self._file, self._has_news.set)
        except BaseException:
            os.close(self._file)
            raise

    def close(self) -> None:
        """Watch no more."""
        asyncio.get_running_loop().remove_reader(self._file)
        os.close(self._file)

    async def bursts(self, pause_s: float, longest_s: float) -> AsyncGenerator[set[Path], None]:
        """Paths that have changed, once nothing has for `pause_s` seconds, or after `longest_s`; until the iteration is closed."""
        loop = asyncio.get_running_loop()
        while True:
            await self._has_news.wait()
            paths, end = self._read(), loop.time() + longest_s
            while loop.time() < end and await self._more_within(pause_s):
                paths |= self._read()
            if paths:
                yield paths

    async def _more_within(self, seconds: float) -> bool:
        try:
            await within(SystemClock(), seconds, self._has_news.wait())
        except TimeoutError:
            return False
        return True

    def _read(self) -> set[Path]:
        self._has_news.clear()
        paths: set[Path] = set()
        try:
            while True:
                for watch, mask, name in _events(os.read(self._file, _READ_BYTES)):
                    paths.update(self._changed(watch, mask, name))
        except BlockingIOError:
            return paths

    def _changed(self, watch: int, mask: int, name: str) -> Iterator[Path]:
        """What one event says has changed; watches follow the folders that come and go."""
        if mask & _OVERFLOW:
            yield from self._watch(self._folder)  # whatever was missed, it is among all there is
            return
        if mask & _IGNORED:
            self._folders.pop(watch, None)
            return
        if (folder := self._folders.get(watch)) is None or not name:
            return
        path = folder / name
        if not mask & _IS_FOLDER:
            yield path
        elif mask & (_CREATE | _MOVED_TO) and not self._is_ignored(path):
            yield from self._watch(path)
        elif mask & _MOVED_FROM:
            self._unwatch(path)

    def _watch(self, folder: Path) -> list[Path]:
        """Watch a folder and those below it, links followed; the files that are there."""
        files: list[Path] = []
        seen = {os.path.realpath(folder)}
        for place, folders, names in os.walk(folder, followlinks=True):
            here = Path(place)
            folders[:] = [name for name in folders if not self._is_ignored(here / name) and os.path.realpath(here / name) not in seen]
            seen.update(os.path.realpath(here / name) for name in folders)
            try:
                watch = self._checked(self._libc.inotify_add_watch(self._file, os.fsencode(place), _WANTED))
            except (FileNotFoundError, NotADirectoryError):
                continue  # it is gone already
            self._folders[watch] = here
            files += (here / name for name in names)
        return files

    def _unwatch(self, folder: Path) -> None:
        """Watch a folder that was moved away no more, nor those below it: their paths are wrong now."""
        for watch, place in list(self._folders.items()):
            if place.is_relative_to(folder):
                self._libc.inotify_rm_watch(self._file, watch)
                del self._folders[watch]

    def _checked(self, result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result


def _events(data: bytes) -> Iterator[tuple[int, int, str]]:
    """Watch, mask and name of each event."""
    at = 0
    while at < len(data):
        watch, mask, _, size = _HEADER.unpack_from(data, at)
        at += _HEADER.size
        yield watch, mask, os.fsdecode(data[at : at + size].rstrip(b"\0"))
        at += size
