"""What HTTP through a worker process costs at least: a bare server, a socket to a child, a thread there, the SDK's request and response.

No routes, no log lines, no bindings, nothing that can go wrong. `bench.http_throughput` serves `app` with uvicorn; run as a script this is
the child.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import queue
import socket
import struct
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

LENGTH = struct.Struct("!I")


def frame(value: Any) -> bytes:
    text = json.dumps(value).encode()
    return LENGTH.pack(len(text)) + text


class Line(asyncio.Protocol):
    """The host's end. Each request is answered by its number."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._numbers = itertools.count()
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= LENGTH.size:
            end = LENGTH.size + LENGTH.unpack_from(self._buffer)[0]
            if len(self._buffer) < end:
                return
            number, *answer = json.loads(self._buffer[LENGTH.size : end])
            del self._buffer[:end]
            self._waiting.pop(number).set_result(answer)

    async def ask(self, *request: Any) -> Any:
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._transport.write(frame([number, *request]))
        return await answer


_line: Line | None = None


async def _connected() -> Line:
    global _line
    if _line is None:
        _line = Line()
        ours, theirs = socket.socketpair()
        await asyncio.create_subprocess_exec(sys.executable, __file__, str(theirs.fileno()), pass_fds=[theirs.fileno()])
        theirs.close()  # so that the child ends when this process does
        await asyncio.get_running_loop().create_unix_connection(lambda: _line, sock=ours)
    return _line


async def app(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    line = await _connected()
    status, returned, body = await line.ask(scope["method"], scope["path"], headers)
    given = [(name.encode(), value.encode()) for name, value in returned.items()] + [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": given})
    await send({"type": "http.response.body", "body": body.encode()})


def work(line: socket.socket) -> None:
    """The child: a thread reads, others call the function."""
    import azure.functions as func

    calls: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def run() -> None:
        while True:
            number, method, url, headers = calls.get()
            request = func.HttpRequest(method, url, headers=headers, params={}, route_params={}, body=b"")
            answer = func.HttpResponse(f"{request.method and 'Hello'}")
            line.sendall(frame([number, answer.status_code, dict(answer.headers), answer.get_body().decode()]))

    for _ in range(32):
        threading.Thread(target=run, daemon=True).start()
    stream = line.makefile("rb")
    while size := stream.read(LENGTH.size):
        calls.put(json.loads(stream.read(LENGTH.unpack(size)[0])))


if __name__ == "__main__":
    work(socket.socket(fileno=int(sys.argv[1])))
