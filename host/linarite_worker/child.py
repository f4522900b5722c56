"""A worker as a process: its socket, its paths, its main thread's loop.

Usage: `__main__.py FOLDER CHANNEL`, where CHANNEL is the number of an inherited socket or, on systems that hand none down, the port on
127.0.0.1 to call, with the token to show in the environment variable LINARITE_WORKER_TOKEN. When the host's end closes, the process ends.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import socket
import sys
import threading
import traceback
from typing import IO, TYPE_CHECKING

from linarite_worker import NO_SDK, frames

if TYPE_CHECKING:
    from linarite_worker.worker import Worker

TOKEN_VARIABLE = "LINARITE_WORKER_TOKEN"
_BROKEN = 70


def main(arguments: list[str]) -> int:
    """Serve the host until it goes away. The exit code matters only if there is nothing to serve."""
    folder, channel = arguments
    sys.argv[1:] = []
    line = _connect(channel)
    _extend_path(folder)
    try:
        importlib.import_module("azure.functions")
    except ImportError as error:
        sys.stderr.write(f"{error}\n")
        return NO_SDK
    from linarite_worker.worker import Worker

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    worker = Worker(folder, _Sender(line).send, _end)
    worker.start(loop)
    threading.Thread(target=_receive, args=(line.makefile("rb", 1 << 16), worker, loop), name="linarite-frames", daemon=True).start()
    loop.run_forever()
    return 0


def _connect(channel: str) -> socket.socket:
    token = os.environ.pop(TOKEN_VARIABLE, "")
    if not token:
        line = socket.socket(fileno=int(channel))
        line.set_inheritable(False)
        return line
    line = socket.create_connection(("127.0.0.1", int(channel)))
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    line.sendall(token.encode())
    return line


def _extend_path(folder: str) -> None:
    """The app's folder first, then the packages it was published with, if any."""
    packages = os.path.join(folder, ".python_packages", "lib", "site-packages")
    sys.path[:0] = [folder, packages] if os.path.isdir(packages) else [folder]


class _Sender:
    """Writes whole frames, one at a time, from whatever thread."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._lock = threading.Lock()

    def send(self, data: bytes) -> None:
        try:
            with self._lock:
                self._line.sendall(data)
        except OSError:
            os._exit(0)  # the host is gone, and what it asked for with it


def _receive(stream: IO[bytes], worker: Worker, loop: asyncio.AbstractEventLoop) -> None:
    """Take the host's frames, on a thread of its own: the end of the host is noticed even while user code blocks the loop."""
    try:
        for header, body in frames.read(stream):
            match header["op"]:
                case "invoke":
                    worker.invoke(header, body)
                case "import":
                    loop.call_soon_threadsafe(_import_ahead, header["modules"])
                case "load":
                    loop.call_soon_threadsafe(worker.load, header)
    except ConnectionError:
        pass
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
        os._exit(_BROKEN)
    os._exit(0)


def _import_ahead(modules: list[str]) -> None:
    """Import what the app is known to import. It will complain itself if it cannot."""
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception:
            return


def _end(code: int) -> None:
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            stream.flush()
    os._exit(code)
