"""A proxy between a host and the storage emulator: records every request, and can break the connection at any write.

It needs no hook in the host: the host is given `StorageProxy.connection_string()`. Signatures do not cover the host's address, so requests
pass through unchanged.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

import aiohttp
import yarl
from aiohttp import web

from linarite.azurite import Ports
from linarite.storage.connection import EMULATOR_ACCOUNT

Service = Literal["blob", "queue", "table"]

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding"}


@dataclass
class Exchange:
    """One request and its answer. `path` has no account and no leading slash; both it and `query` are decoded."""

    service: Service
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    began: float
    ended: float = 0.0
    status: int = 0
    answer: bytes = b""
    answer_headers: dict[str, str] = field(default_factory=dict)

    @property
    def is_write(self) -> bool:
        """Whether it changes what is stored; getting a message does, by hiding it."""
        return self.method != "HEAD" and not (self.method == "GET" and self.service != "queue")


@dataclass(frozen=True)
class Fault:
    """What to do at one write: call `action`, then break the connection. `is_after`: once the write has been made."""

    write: int
    is_after: bool
    action: Callable[[Exchange], Awaitable[None]]


class StorageProxy:
    """Stands in front of an emulator. `requests` are in order of completion; `writes` counts those that change something."""

    def __init__(self, target: Ports) -> None:
        self._target = {"blob": target.blob, "queue": target.queue, "table": target.table}
        self._runners: list[web.ServerRunner] = []
        self._client: aiohttp.ClientSession | None = None
        self.ports = Ports(0, 0, 0)
        self.requests: list[Exchange] = []
        self.writes = 0
        self.fault: Fault | None = None
        self.lets_through = asyncio.Event()
        """While it is not set, requests are taken and not answered."""
        self.lets_through.set()
        self.is_cut = False
        """Every request is refused from now on: whoever asks is as good as dead to the storage."""
        self.counts: Callable[[Exchange], bool] = lambda exchange: exchange.is_write
        """Which requests `writes` counts."""

    async def start(self) -> None:
        self._client = aiohttp.ClientSession(
            auto_decompress=False,
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=4.0),
            skip_auto_headers=("Content-Type", "User-Agent", "Accept", "Accept-Encoding"),  # some are signed
        )
        self.ports = Ports(await self._listen("blob"), await self._listen("queue"), await self._listen("table"))

    async def _listen(self, service: Service) -> int:
        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            return await self._forward(service, request)

        runner = web.ServerRunner(web.Server(handle))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._runners.append(runner)
        return int(runner.addresses[0][1])

    async def stop(self) -> None:
        self.lets_through.set()
        for runner in self._runners:
            await runner.cleanup()
        if self._client is not None:
            await self._client.close()

    def connection_string(self) -> str:
        """What the host is to be given."""
        return self.ports.connection_string()

    async def _forward(self, service: Service, request: web.BaseRequest) -> web.StreamResponse:
        exchange = Exchange(
            service,
            request.method,
            request.path.lstrip("/").removeprefix(EMULATOR_ACCOUNT).lstrip("/"),
            dict(request.rel_url.query),
            {name.lower(): value for name, value in request.headers.items()},
            await request.read(),
            time.monotonic(),
        )
        if self.is_cut:
            return self._hung_up(request)
        await self.lets_through.wait()
        number = self._number(exchange)
        fault = self.fault if self.fault is not None and self.fault.write == number else None
        if fault is not None and not fault.is_after:
            await fault.action(exchange)
            return self._hung_up(request)
        assert self._client is not None
        url = yarl.URL(f"http://127.0.0.1:{self._target[service]}{request.rel_url.raw_path_qs}", encoded=True)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        async with self._client.request(request.method, url, headers=headers, data=exchange.body or None) as response:
            exchange.answer, exchange.status = await response.read(), response.status
            exchange.answer_headers = {name.lower(): value for name, value in response.headers.items()}
        exchange.ended = time.monotonic()
        self.requests.append(exchange)
        if fault is not None:
            await fault.action(exchange)
        if fault is not None:
            return self._hung_up(request)
        kept = {name: value for name, value in exchange.answer_headers.items() if name not in _HOP_BY_HOP}
        return web.Response(status=exchange.status, headers=kept, body=exchange.answer)

    def _number(self, exchange: Exchange) -> int:
        """The position of a write among all writes, from 1; 0 for anything else."""
        if not self.counts(exchange):
            return 0
        self.writes += 1
        return self.writes

    @staticmethod
    def _hung_up(request: web.BaseRequest) -> web.StreamResponse:
        """Break the connection; the answer goes nowhere."""
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)
