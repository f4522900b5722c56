"""The name of this host among those that share a hub, the same after every restart.

A host that is killed leaves its partitions leased under its name; under the same name it has them back at once. Two hosts that run at the
same time must not share a name, so the file that keeps it is locked for as long as the process lives.
"""

from __future__ import annotations

import os
import socket
import sys
import uuid
from pathlib import Path
from types import TracebackType
from typing import IO

from linarite.errors import HubUnavailable

_MOST_HOSTS = 16


class WorkerId:
    """A name, held until `close` or the end of the process. `folder` is the app's own for such things; it is made if it is not there."""

    def __init__(self, folder: Path) -> None:
        self._file = _locked(folder)
        self._file.seek(0)
        self.name = self._file.read().strip() or self._written()

    def _written(self) -> str:
        name = new_name()
        self._file.write(name)
        self._file.flush()
        return name

    def close(self) -> None:
        """Let another host have the name."""
        self._file.close()

    def __enter__(self) -> WorkerId:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def new_name() -> str:
    """A name that no host has: the machine's, and something random."""
    return f"{socket.gethostname().partition('.')[0]}-{uuid.uuid4().hex[:8]}"


def _locked(folder: Path) -> IO[str]:
    """The first file of its kind that no other host holds."""
    for number in range(1, _MOST_HOSTS + 1):
        path = folder / ("worker-id" if number == 1 else f"worker-id-{number}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = path.open("a+", encoding="utf-8")
        except OSError as problem:
            raise HubUnavailable(
                f"Cannot write {path}: {problem.strerror}. Make the folder writable; the host keeps its name there."
            ) from None
        if _lock(file):
            return file
        file.close()
    raise HubUnavailable(f"{_MOST_HOSTS} hosts run from {folder.parent} already. Stop some of them.")


def _lock(file: IO[str]) -> bool:
    """Lock a file for this process; False if another one has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(1 << 30)  # a byte nobody reads: on Windows a locked one cannot be read
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    os.set_inheritable(file.fileno(), False)
    return True
