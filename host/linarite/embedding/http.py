"""Requests to a host in the same process: through its web application, without a port."""

from __future__ import annotations

import asyncio
import json as json_module
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, TypeVar, Union
from urllib.parse import quote, unquote, urlencode, urlsplit

from starlette.datastructures import Headers

from linarite.errors import LinariteError

if TYPE_CHECKING:
    from typing_extensions import Unpack

Asgi = Callable[[Any, Any, Any], Awaitable[None]]
T = TypeVar("T")
Query = Union[Mapping[str, Any], Iterable[tuple[str, Any]]]  # noqa: UP007  evaluated

_SAFE_IN_PATHS = "/:@!$&'()*+,;=~%-._"
_SAFE_IN_QUERIES = _SAFE_IN_PATHS + "?"


class Until(Protocol):
    """Waits for work."""

    async def __call__(self, work: Coroutine[Any, Any, T]) -> T: ...


class RequestFailed(LinariteError):
    """An answer has a status of 400 or more, and `raise_for_status` was called."""


@dataclass(frozen=True, slots=True)
class Response:
    """What a function, or the host itself, answered."""

    status_code: int
    headers: Headers
    content: bytes

    @property
    def text(self) -> str:
        """The body, in the charset it says it has, or UTF-8."""
        charset = self.headers.get("content-type", "").partition("charset=")[2].partition(";")[0].strip('" ')
        return self.content.decode(charset or "utf-8", "replace")

    def json(self) -> Any:
        """The body's value."""
        return json_module.loads(self.content)

    def raise_for_status(self) -> Response:
        """This response, if it is none of an error. Raises RequestFailed."""
        if self.status_code >= 400:
            raise RequestFailed(f"The answer is {self.status_code}: {self.text or '(no body)'}")
        return self


class RequestOptions(TypedDict, total=False):
    """What a request may have. The body is `content` as it is, or `json` encoded."""

    params: Query
    json: Any
    content: str | bytes
    headers: Mapping[str, str]


class Http:
    """Sends requests to `app`, on its loop. Addresses are paths, or URLs below `base_url` such as the host's own answers have.

    `until` lets pass whatever time an answer takes.
    """

    def __init__(self, app: Callable[[], Asgi], base_url: Callable[[], str], until: Until) -> None:
        self._app = app
        self._base_url = base_url
        self._until = until

    async def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> Response:
        """Send a request and wait for its whole answer."""
        headers = {name.lower(): value for name, value in options.get("headers", {}).items()}
        body = _body(options, headers)
        headers.setdefault("host", urlsplit(self._base_url()).netloc)
        scope = _scope(self._base_url(), method.upper(), url, options.get("params", ()), headers)
        return await self._until(_exchange(self._app(), scope, body))

    async def get(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        return await self.request("GET", url, **options)

    async def post(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        return await self.request("POST", url, **options)

    async def put(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        return await self.request("PUT", url, **options)

    async def patch(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        return await self.request("PATCH", url, **options)

    async def delete(self, url: str, **options: Unpack[RequestOptions]) -> Response:
        return await self.request("DELETE", url, **options)


def _scope(base_url: str, method: str, url: str, params: Query, headers: Mapping[str, str]) -> dict[str, Any]:
    address = urlsplit(url)
    if address.netloc and f"{address.scheme}://{address.netloc}" != base_url:
        raise ValueError(f"{url} is not of this host, which is {base_url}. Give a path, such as /api/hello.")
    path = quote(address.path or "/", safe=_SAFE_IN_PATHS)
    given = urlencode(list(params.items() if isinstance(params, Mapping) else params), doseq=True)
    query = "&".join(part for part in (quote(address.query, safe=_SAFE_IN_QUERIES), given) if part)
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": urlsplit(base_url).scheme,
        "path": unquote(path),
        "raw_path": path.encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": [(name.encode("ascii"), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 0),
        "server": (urlsplit(base_url).hostname, urlsplit(base_url).port or 80),
    }


def _body(options: RequestOptions, headers: dict[str, str]) -> bytes:
    """The body, whose type and length are added to the headers."""
    content = options.get("content", b"")
    body = content.encode() if isinstance(content, str) else content
    if "json" in options:
        body = json_module.dumps(options["json"], ensure_ascii=False).encode()
        headers.setdefault("content-type", "application/json")
    headers.setdefault("content-length", str(len(body)))
    return body


async def _exchange(app: Asgi, scope: dict[str, Any], body: bytes) -> Response:
    unread, sent = [body], []
    for_ever: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def receive() -> dict[str, Any]:
        if not unread:
            await for_ever  # this client does not hang up
        return {"type": "http.request", "body": unread.pop(), "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *parts = sent
    content = b"" if scope["method"] == "HEAD" else b"".join(part.get("body", b"") for part in parts)
    return Response(start["status"], Headers(raw=start.get("headers", [])), content)
