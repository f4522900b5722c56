"""A request that its function reads, and answers, piece by piece: how it is handed on, and how far it has come.

Source: azure-functions-host, DefaultHttpProxyService; functions-host section 2.8.
"""

from __future__ import annotations

from linarite.invocation import HttpExchange
from linarite.web.requests import Message, Receive, Scope, Send


class Pieces:
    """Stands between the server and a function. A body of more than `most_bytes` is cut off, which the function takes for a client gone."""

    def __init__(self, receive: Receive, send: Send, most_bytes: int) -> None:
        self._receive = receive
        self._send = send
        self._left = most_bytes
        self.has_begun = False
        """Whether the response is on its way, so that no other can be sent."""

    @property
    def is_too_long(self) -> bool:
        """Whether the body was cut off."""
        return self._left < 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        return {"type": "http.disconnect"} if self.is_too_long else message

    async def send(self, message: Message) -> None:
        self.has_begun = True
        await self._send(message)


def http_exchange(scope: Scope, params: dict[str, str], pieces: Pieces) -> HttpExchange:
    """What a worker is given of the request. `params` are the route's."""
    return HttpExchange(
        method=scope["method"],
        scheme=scope["scheme"],
        http_version=scope["http_version"],
        path=scope["path"],
        raw_path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]],
        params=params,
        client=scope["client"],
        server=scope["server"],
        receive=pieces.receive,
        send=pieces.send,
    )
