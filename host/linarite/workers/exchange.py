"""The host's end of an HTTP request that a worker reads, and answers, piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from linarite.invocation import HttpExchange
from linarite.workers import wire


class Exchange:
    """Does for one request what the worker asks, and sends it the answers as frames."""

    def __init__(self, http: HttpExchange, send: Callable[[bytes], None]) -> None:
        self._http = http
        self._send = send
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, message: wire.Asgi, body: bytes) -> None:
        """The worker asks for something; it may ask for more before it has been answered."""
        task = asyncio.create_task(self._carry(message, body), name=f"HTTP exchange of {message.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """The invocation is over, and nobody waits for answers any more."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry(self, message: wire.Asgi, body: bytes) -> None:
        try:
            if message.type == "receive":
                await self._receive(message)
            else:
                await self._http.send(_response(message, body))
                self._send(wire.asgi(message, type="sent"))
        except Exception as error:  # what the server says of a response that is none: its length is wrong, it has begun already
            self._send(wire.asgi(message, type="failed", reason=str(error)))

    async def _receive(self, message: wire.Asgi) -> None:
        received = await self._http.receive()
        if received["type"] == "http.request":
            more = received.get("more_body", False)
            self._send(wire.asgi(message, type="request", more=more, body=received.get("body", b"")))
        else:
            self._send(wire.asgi(message, type="disconnect"))


def _response(message: wire.Asgi, body: bytes) -> dict[str, object]:
    if message.type == "start":
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in message.headers]
        return {"type": "http.response.start", "status": message.status, "headers": headers}
    return {"type": "http.response.body", "body": body, "more_body": message.more}
