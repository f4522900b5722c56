"""The SDK client's own door: the management API on a loopback port, without keys.

Any program on the machine may use it, as on Azure; a web page may not, so what a browser sends for one is refused.
Source: the Durable extension's LocalHttpListener: port 17071, or a random one from 30000 to 30999, ten attempts in all.
"""

from __future__ import annotations

import contextlib
import logging
import random
import socket

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from linarite.web.durable_api.answers import error
from linarite.web.durable_api.app import RPC_PATH, DurableApi
from linarite.web.durable_api.call import DurableHost
from linarite.web.server import WebServer

PORT = 17071
_OTHER_PORTS = range(30000, 31000)
_ATTEMPTS = 10
_LOOPBACK = "127.0.0.1"

_logger = logging.getLogger(__name__)


class RpcEndpoint:
    """Serves the API on loopback from `start` to `stop`. `preferred_port` 0 is any free one."""

    def __init__(self, host: DurableHost, preferred_port: int = PORT) -> None:
        self._preferred_port = preferred_port
        self._server = WebServer(_ProgramsOnly(DurableApi(host, RPC_PATH)))
        self.base_url: str | None = None
        """Where it is, with the slash the SDK needs at its end; None while it is not."""

    async def start(self) -> None:
        """Listen; returns once requests are answered. Raises OSError if there is no port to be had."""
        listening = _listening(self._preferred_port)
        port = listening.getsockname()[1]
        if self._preferred_port not in (port, 0):
            _logger.warning("Port %d is in use; the endpoint of the Durable client is on port %d.", self._preferred_port, port)
        await self._server.start(listening)
        self.base_url = f"http://{_LOOPBACK}:{port}{RPC_PATH}/"

    async def stop(self) -> None:
        """Cut short what is in flight: whoever asks is a worker that has ended."""
        self.base_url = None
        await self._server.stop(0)


class _ProgramsOnly:
    """Refuses what comes from a web page: it names its origin or, with a name of its own for this machine, another host."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        is_loopback = headers.get("host", _LOOPBACK).partition(":")[0].lower() in (_LOOPBACK, "localhost")
        app = (
            self._app if is_loopback and "origin" not in headers else error(403, "This endpoint is for the Durable SDK, not for web pages.")
        )
        await app(scope, receive, send)


def _listening(preferred_port: int) -> socket.socket:
    """A socket on the preferred port, else on a port of the client's range, else on any."""
    others = random.sample(_OTHER_PORTS, _ATTEMPTS - 1) if preferred_port else []
    for port in (preferred_port, *others):
        with contextlib.suppress(OSError):
            return socket.create_server((_LOOPBACK, port))
    return socket.create_server((_LOOPBACK, 0))
