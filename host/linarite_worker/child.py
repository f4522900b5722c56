"""A worker as a process: its socket, its paths, its main thread's loop.

Usage: `__main__.py FOLDER CHANNEL`, where CHANNEL is the number of an inherited socket or, on systems that hand none down, the port on
127.0.0.1 to call, with the token to show in the environment variable LINARITE_WORKER_TOKEN. When the host's end closes, the process ends.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import socket
import sys
import threading
import traceback
from collections import deque
from typing import IO, TYPE_CHECKING

from linarite_worker import NO_SDK, frames

if TYPE_CHECKING:
    from linarite_worker.worker import Worker

TOKEN_VARIABLE = "LINARITE_WORKER_TOKEN"
_BROKEN = 70
_MOST_WAITING = 1000


def main(arguments: list[str]) -> int:
    """Serve the host until it goes away. The exit code matters only if there is nothing to serve."""
    gc.disable()  # until the app is loaded: what is imported before stays
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
    """Writes whole frames in the order of `send`, from whatever thread.

    A thread that finds another one writing leaves its frame to that one: under load fewer writes, and fewer threads that wait for each
    other. The bound makes a thread wait that says more than the host can read.
    """

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._frames: deque[bytes] = deque()
        self._writing = threading.Lock()

    def send(self, data: bytes) -> None:
        self._frames.append(data)
        while self._frames and self._writing.acquire(blocking=len(self._frames) > _MOST_WAITING):
            try:
                self._write()
            except OSError:
                os._exit(0)  # the host is gone, and what it asked for with it
            finally:
                self._writing.release()

    def _write(self) -> None:
        while self._frames:
            waiting = [self._frames.popleft() for _ in range(len(self._frames))]
            self._line.sendall(waiting[0] if len(waiting) == 1 else b"".join(waiting))


def _receive(stream: IO[bytes], worker: Worker, loop: asyncio.AbstractEventLoop) -> None:
    """Take the host's frames, on a thread of its own: the end of the host is noticed even while user code blocks the loop."""
    try:
        for header, body in frames.read(stream):
            match header["op"]:
                case "invoke":
                    worker.invoke(header, body)
                case "asgi":
                    worker.exchange(header, body)
                case "import":
                    loop.call_soon_threadsafe(_import_ahead, header["modules"])
                case "load":
                    loop.call_soon_threadsafe(_collect_from_now_on)
                    loop.call_soon_threadsafe(worker.load, header)
    except ConnectionError:
        pass
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
        os._exit(_BROKEN)
    os._exit(0)


def _collect_from_now_on() -> None:
    """The app finds the garbage collector as any program does, and nothing of ours to look through."""
    gc.freeze()
    gc.enable()


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
