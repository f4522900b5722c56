"""One host per hub file, told apart by a lock of the operating system.

The system lets go of the lock when its holder ends, however it ends, so a host that was killed is taken over from at once. The lock file
stays where it is: a file that is deleted while someone waits for it would be two files.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path

import msgspec

from linarite.errors import HubFileUnusable

if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> None:
        os.lseek(handle, 1 << 30, os.SEEK_SET)  # far behind the text: what is locked cannot be read either
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


class _Holder(msgspec.Struct):
    pid: int
    since: datetime


class HostLock:
    """The right to use one hub file, from `acquire` to `release`."""

    def __init__(self, hub_file: Path) -> None:
        self._hub_file = hub_file
        self._path = hub_file.with_name(hub_file.name + ".lock")
        self._handle: int | None = None

    def acquire(self, now: datetime) -> None:
        """Take it. Raises HubFileUnusable, which says who has it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _take(handle)
        except OSError:
            holder = os.pread(handle, 1000, 0) if hasattr(os, "pread") else self._path.read_bytes()
            os.close(handle)
            raise HubFileUnusable(self._refusal(holder)) from None
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, msgspec.json.encode(_Holder(os.getpid(), now.replace(microsecond=0))))
        self._handle = handle

    def _refusal(self, text: bytes) -> str:
        try:
            holder = msgspec.json.decode(text, type=_Holder)
        except msgspec.DecodeError:  # it is just about to write it
            who = "another host"
        else:
            who = f"another host (process {holder.pid}, since {holder.since:%Y-%m-%d %H:%M:%S} UTC)"
        return f"The task hub {self._hub_file} is in use by {who}. Stop that one, or give this one another hub name."

    def release(self) -> None:
        """Let go, if it is held."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
