"""Uvicorn on a socket that is already bound, without its hold on the process: signals and exit belong to whoever starts it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http import httptools_impl

for _status in range(600, 1000):  # uvicorn knows lines up to 599, and fails at others
    httptools_impl.STATUS_LINE.setdefault(_status, b"HTTP/1.1 %d \r\n" % _status)


class WebServer:
    """Serves one ASGI app from `start` to `stop`. With a certificate (PEM, key included) it speaks HTTPS."""

    def __init__(self, app: ASGIApp, *, certificate: Path | None = None) -> None:
        self._config = uvicorn.Config(
            app,
            lifespan="off",
            http=httptools_impl.HttpToolsProtocol,
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
        server = self._server = _Server(self._config)
        self._serving = asyncio.create_task(server.serve([bound]), name=f"web server on {bound.getsockname()}")
        await server.ready.wait()

    async def stop(self, grace_s: float | None = None) -> None:
        """Refuse new connections, answer what is in flight (for up to `grace_s` seconds), then close."""
        server, serving, self._server, self._serving = self._server, self._serving, None, None
        if server is None or serving is None:
            return
        server.config.timeout_graceful_shutdown = None if grace_s is None else max(int(grace_s), 0)
        server.should_exit = True
        server.wake()
        await serving


class _Server(uvicorn.Server):
    """Uvicorn with a word when it is ready, and told to stop instead of looking ten times a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self._stopped = asyncio.Event()

    def wake(self) -> None:
        self._stopped.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.ready.set()

    async def main_loop(self) -> None:
        await self._stopped.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
