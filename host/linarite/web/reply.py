"""An answer on its way out: status, headers, body, and how they go to the server."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from linarite.web.requests import Send

Headers = list[tuple[bytes, bytes]]
"""Names in lower case, as the server writes them."""

TEXT = (b"content-type", b"text/plain; charset=utf-8")
JSON = (b"content-type", b"application/json; charset=utf-8")
BODILESS = frozenset({204, 304})


@dataclass(slots=True)
class Reply:
    """A whole answer. Framing headers are added when it is sent."""

    status: int
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    closes: bool = False
    """Close the connection afterwards."""
    remark: str = ""
    """What the author of the function that gave it has to know."""

    async def send(self, send: Send) -> None:
        """Write it. A status that has no body gets none."""
        headers, body = self.headers, self.body
        if self.status in BODILESS:
            body = b""
        else:
            headers = [*headers, (b"content-length", b"%d" % len(body))]
        if self.closes:
            headers = [*headers, (b"connection", b"close")]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def empty(status: int) -> Reply:
    """No body, no type."""
    return Reply(status)


def text(status: int, content: str) -> Reply:
    """Plain text."""
    return Reply(status, [TEXT], content.encode())


def as_json(status: int, value: Any) -> Reply:
    """Compact JSON."""
    return Reply(status, [JSON], json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
