"""Uvicorn on a socket that is already bound, without its hold on the process: signals and exit belong to whoever starts it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http import httptools_impl

for _status in range(600, 1000):  # uvicorn knows lines up to 599, and fails at others
    httptools_impl.STATUS_LINE.setdefault(_status, b"HTTP/1.1 %d \r\n" % _status)

_FLUSH_S, _FLUSHES = 0.01, 100
"""How often, and how many times, to look whether the last answers have left."""


_log = logging.getLogger("uvicorn.error")
_log.addFilter(lambda record: record.msg != "ASGI callable returned without completing response.")
"""A function that breaks off its response has been logged with its reason; closing the connection is what is wanted."""


class WebServer:
    """Serves one ASGI app from `start` to `stop`. With a certificate (PEM, key included) it speaks HTTPS."""

    def __init__(self, app: ASGIApp, *, certificate: Path | None = None) -> None:
        self._config = uvicorn.Config(
            _Interruptible(app),
            lifespan="off",
            http=Connection,
            log_config=None,
            log_level="warning",
            access_log=False,
            ws="none",
            proxy_headers=False,  # X-Forwarded-* are only headers to a function
            server_header=False,
            date_header=False,  # the app writes its own, and nothing ticks while nobody asks
            ssl_certfile=certificate,
            timeout_keep_alive=130,  # Kestrel's
        )
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def start(self, bound: socket.socket) -> None:
        """Answer requests on the socket from now on."""
        server = self._server = _Server(self._config, bound)
        self._serving = asyncio.create_task(server.serve([bound]), name=f"web server on {bound.getsockname()}")
        await server.ready.wait()

    def refuse(self) -> None:
        """Take no more requests; those that are there go on."""
        if self._server is not None:
            self._server.refuse()

    async def stop(self, grace_s: float | None = None) -> None:
        """Refuse new requests, answer what is in flight (for up to `grace_s` seconds; None: however long it takes), then close.

        What is cut short is answered with 503. When the wait is cancelled, the next call may shorten it.
        """
        server, serving = self._server, self._serving
        if server is None or serving is None:
            return
        server.refuse()
        if running := server.running:
            await asyncio.wait(running, timeout=grace_s)
        self._server = self._serving = None
        server.close()
        await serving


class Connection(httptools_impl.HttpToolsProtocol):
    """Uvicorn's, but an answer's head and body leave in one write, so that a client wakes up once for them."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(_JoinedWrites(transport, self.loop))
        assert isinstance(self.server_state, State)
        if self.server_state.is_refusing:  # it had called before the door was shut
            self.shutdown()

    def on_response_complete(self) -> None:
        assert isinstance(self.transport, _JoinedWrites)
        self.transport.flush()
        super().on_response_complete()


class _JoinedWrites(asyncio.Transport):
    """What uvicorn needs of a transport; it writes at the end of a turn of the loop, or at `flush`."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes | bytearray | memoryview[Any]] = []

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self._waiting.append(data)
        if len(self._waiting) == 1:
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting and not self._transport.is_closing():
            self._transport.writelines(waiting)

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()


class State(uvicorn.server.ServerState):
    """What connections know of their server."""

    is_refusing = False


class _Server(uvicorn.Server):
    """Uvicorn with a word when it is ready, told to stop instead of looking ten times a second, and quiet about it."""

    def __init__(self, config: uvicorn.Config, bound: socket.socket) -> None:
        super().__init__(config)
        self.server_state = self._state = State()
        self._bound = bound
        self.ready = asyncio.Event()
        self._closing = asyncio.Event()

    @property
    def running(self) -> set[asyncio.Task[None]]:
        """The requests that are being answered."""
        return set(self.server_state.tasks)

    def refuse(self) -> None:
        """Close the door, and every connection that waits for its next request; the others when they have answered."""
        self._state.is_refusing = True
        for server in self.servers:
            server.close()
        self._bound.close()  # or the system would go on taking calls that nobody answers
        for connection in list(self.server_state.connections):
            connection.shutdown()

    def close(self) -> None:
        """Let `serve` end."""
        self._closing.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.ready.set()

    async def main_loop(self) -> None:
        await self._closing.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Cut short what still runs, and let go of the connections once they have sent what they hold."""
        self.refuse()
        if running := self.running:
            for task in running:
                task.cancel()
            await asyncio.wait(running)
        for _ in range(_FLUSHES):
            if not self.server_state.connections:
                return
            await asyncio.sleep(_FLUSH_S)  # nothing tells when the last one has gone
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Interruptible:
    """An app whose calls may be cancelled: the client is told, where uvicorn would take it for a fault of the app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            cycle: Any = getattr(send, "__self__", None)  # uvicorn's own; asking it costs other calls nothing
            if cycle.response_started:
                cycle.transport.abort()
                cycle.disconnected = True
                return
            await send({"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"0"), (b"connection", b"close")]})
            await send({"type": "http.response.body"})
