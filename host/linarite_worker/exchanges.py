"""Requests that functions read, and answer, piece by piece.

Each call of `receive` or `send` in the app is a frame to the host and one back. So nothing is sent that nobody reads, and an app notices
when its client has gone.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Any

from linarite_worker import current, invocations
from linarite_worker.failures import from_app_on
from linarite_worker.frames import Header, frame
from linarite_worker.invocations import Request
from linarite_worker.threads import Threads
from linarite_worker.web_extension import INVOCATION_ID, Message, WebExtension


class Exchanges:
    """The requests that are being answered, all on one loop. `send` takes whole frames."""

    def __init__(self, extension: WebExtension, send: Callable[[bytes], None], threads: Threads) -> None:
        self._extension = extension
        self._application = extension.application(self._answer)
        self._send = send
        self._threads = threads
        self._loop = asyncio.get_running_loop()
        self._open: dict[str, _Exchange] = {}

    async def run(self, request: Request) -> bytes:
        """Have the application answer a request; the frame of the result or failure, once all of the answer is on its way."""
        exchange = self._open[request.id] = _Exchange(request, self._send)
        try:
            await self._application(exchange.scope, exchange.receive, exchange.send)
        except Exception as error:
            exchange.failed(error)
        finally:
            del self._open[request.id]
        return exchange.result()

    def received(self, header: Header, body: bytes) -> None:
        """The host has answered a `receive` or a `send`. Any thread may call this."""
        self._loop.call_soon_threadsafe(self._received, header, body)

    def _received(self, header: Header, body: bytes) -> None:
        if (exchange := self._open.get(header["id"])) is not None:
            exchange.answered(header, body)

    async def _answer(self, web_request: Any) -> Any:
        """The response of the function that a request is for."""
        exchange = self._open[web_request.headers[INVOCATION_ID]]
        self._extension.set_route_params(web_request, exchange.route_params)
        try:
            return await exchange.call(web_request, self._threads)
        except Exception as error:
            exchange.failed(error)
            raise


class _Exchange:
    """One request on its way."""

    def __init__(self, request: Request, send: Callable[[bytes], None]) -> None:
        self._request = request
        self._send_frame = send
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._failure: bytes | None = None
        self._success: bytes | None = None
        signature = request.function.signature
        _, (method, scheme, version, path, raw_path, query, headers, params, client, server) = request.header["inputs"][signature.streamed]
        self.route_params: dict[str, str] = params
        self.scope: Message = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": version,
            "method": method,
            "scheme": scheme,
            "path": path,
            "raw_path": raw_path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "root_path": "",
            "headers": [*_encoded(headers), (INVOCATION_ID.encode(), request.id.encode())],
            "client": client and tuple(client),
            "server": server and tuple(server),
        }

    async def call(self, web_request: Any, threads: Threads) -> Any:
        """Call the function; its response. Raises what it raises."""
        function = self._request.function
        given = {**invocations.arguments(self._request), function.signature.streamed: web_request}
        if function.is_async:
            response = await function.call(**given)
        else:
            response = await threads.result(partial(copy_context().run, self._call_plain, given))
        if response is None:
            raise ValueError(f"function {function.name!r} returned None, which is no HTTP response")
        self._success = invocations.success(self._request, given, None)
        return response

    def _call_plain(self, given: dict[str, Any]) -> Any:
        current.thread_local.invocation_id = self._request.id
        try:
            return self._request.function.call(**given)
        finally:
            current.thread_local.invocation_id = None

    def failed(self, error: Exception) -> None:
        """Note what went wrong; what comes after it is a consequence."""
        if self._failure is None:
            self._failure = invocations.failure(self._request.id, from_app_on(error, self._request.function.directory))

    def result(self) -> bytes:
        """The frame that ends the invocation."""
        if self._failure is None and self._success is None:
            self.failed(RuntimeError(f"the web application answered without calling {self._request.function.name}"))
        result = self._failure or self._success
        assert result is not None
        return result

    async def receive(self) -> Message:
        """The next piece of the request, or the news that the client has gone."""
        return await self._ask({"type": "receive"})

    async def send(self, message: Message) -> None:
        """Send the beginning, or a piece, of the response."""
        if message["type"] == "http.response.start":
            headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers", ())]
            await self._ask({"type": "start", "status": message["status"], "headers": headers})
        elif message["type"] == "http.response.body":
            await self._ask({"type": "body", "more": message.get("more_body", False)}, bytes(message.get("body", b"")))

    async def _ask(self, header: Header, body: bytes = b"") -> Message:
        number = next(self._numbers)
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        self._send_frame(frame({"op": "asgi", "id": self._request.id, "number": number, **header}, body))
        try:
            return await answer
        finally:
            del self._waiting[number]

    def answered(self, header: Header, body: bytes) -> None:
        answer = self._waiting.get(header["number"])
        if answer is None or answer.done():
            return
        match header["type"]:
            case "request":
                answer.set_result({"type": "http.request", "body": body, "more_body": header["more"]})
            case "disconnect":
                answer.set_result({"type": "http.disconnect"})
            case "failed":
                answer.set_exception(RuntimeError(header["reason"]))
            case _:
                answer.set_result({})


def _encoded(headers: list[list[str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
