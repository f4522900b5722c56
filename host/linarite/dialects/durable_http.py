"""The activity behind `call_http`: the host itself sends the request.

An error status is an ordinary result; a request that gets no answer is a failed task. There is no polling of 202 answers: SDK 1.x
does not ask for it, and its orchestrators expect to see the 202.
Source: durable-extension, TaskHttpActivityShim and DurableHttpResponse.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

import msgspec

from linarite import __version__
from linarite.clock import Clock, within
from linarite.durable.events import HistoryEvent, TaskCompleted, TaskFailed, TaskScheduled
from linarite.timespans import timespan
from linarite.timestamps import timestamp

if TYPE_CHECKING:
    from aiohttp import ClientResponse

LONGEST_REQUEST_S = 240.0

_REFUSED = "System.FormatException, System.Private.CoreLib"
_CONTENT_HEADERS = {"allow", "expires", "last-modified"}
_INVALID_URI = "An invalid request URI was provided. Either the request URI must be an absolute URI or BaseAddress must be set."


class _TokenSource(msgspec.Struct):
    resource: str = ""


class _Request(msgspec.Struct, rename="camel"):
    method: str
    uri: str
    headers: dict[str, str] = {}
    content: str | None = None
    token_source: _TokenSource | None = None
    timeout: str | None = None


class _Failed(Exception):
    """The request got no answer; `type_name` is what .NET calls the reason."""

    def __init__(self, message: str, type_name: str) -> None:
        super().__init__(message)
        self.type_name = type_name


async def run_http_activity(event: TaskScheduled, clock: Clock) -> HistoryEvent:
    """Send the request that the event's input describes; the task's answer."""
    try:
        (asked,) = msgspec.json.decode(event.input or "", type=list[_Request])
        result = await _send(asked, clock)
    except (_Failed, msgspec.DecodeError, ValueError) as error:
        return _failure(event.event_id, error, timestamp(clock.now()))
    return TaskCompleted(task_scheduled_id=event.event_id, result=result, timestamp=timestamp(clock.now()))


def _failure(task_id: int, error: Exception, now: str) -> TaskFailed:
    """A failed task; its details are JSON with a `Message`, as applications expect of every failed activity."""
    type_name = error.type_name if isinstance(error, _Failed) else "System.InvalidOperationException, System.Private.CoreLib"
    details = msgspec.json.encode({"$type": type_name, "ClassName": type_name.partition(",")[0], "Message": str(error)}).decode()
    return TaskFailed(task_scheduled_id=task_id, reason=str(error), details=details, timestamp=now)


async def _send(asked: _Request, clock: Clock) -> str:
    if not asked.uri.lower().startswith(("http://", "https://")):
        raise _Failed(_INVALID_URI, "System.InvalidOperationException, System.Net.Http")
    headers = await _headers(asked)
    limit_s = min(timespan(asked.timeout).total_seconds(), LONGEST_REQUEST_S) if asked.timeout else LONGEST_REQUEST_S
    try:
        return await within(clock, limit_s, _exchange(asked, headers))
    except TimeoutError:
        said = f"Reached user specified timeout: {asked.timeout}." if asked.timeout else f"No answer within {limit_s:g} s."
        raise _Failed(f"The operation was canceled. {said}", "System.TimeoutException, System.Private.CoreLib") from None


async def _headers(asked: _Request) -> dict[str, str]:
    headers = dict(asked.headers)
    given = {name.lower(): value for name, value in headers.items()}
    if given.get("content-type", "").lower().startswith("multipart/"):
        raise _Failed("Multipart content is not supported by call_http; send the parts in separate requests.", _REFUSED)
    if "user-agent" not in given:
        headers["User-Agent"] = f"linarite/{__version__}"
    if asked.content and "content-type" not in given:
        headers["Content-Type"] = "text/plain"
    if asked.token_source is not None:
        headers["Authorization"] = f"Bearer {await _token(asked.token_source.resource)}"
    return headers


async def _token(resource: str) -> str:
    """A token for the resource, with whatever credentials this machine has."""
    credential_error = "Azure.Identity.CredentialUnavailableException, Azure.Identity"
    try:
        identity = importlib.import_module("azure.identity.aio")
    except ImportError:
        raise _Failed(
            f"call_http asks for a token for {resource}, which needs the package azure-identity beside linarite. "
            "Run `pip install azure-identity aiohttp` in linarite's environment, and sign in, e.g. with `az login`.",
            credential_error,
        ) from None
    async with identity.DefaultAzureCredential() as credential:
        try:
            token: str = (await credential.get_token(resource)).token
        except Exception as error:
            raise _Failed(f"No token for {resource}: {error}", credential_error) from None
    return token


async def _exchange(asked: _Request, headers: dict[str, str]) -> str:
    import aiohttp

    try:
        async with (
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type"),
            ) as session,
            session.request(asked.method, asked.uri, headers=headers, data=asked.content and asked.content.encode()) as response,
        ):
            return await _result(response)
    except aiohttp.InvalidURL:
        raise _Failed(_INVALID_URI, "System.InvalidOperationException, System.Net.Http") from None
    except aiohttp.ClientConnectorError as error:
        reason = os.strerror(error.os_error.errno) if error.os_error.errno else str(error.os_error)
        raise _Failed(f"{reason} ({error.host}:{error.port})", "System.Net.Http.HttpRequestException, System.Net.Http") from None
    except (aiohttp.ClientError, OSError) as error:
        raise _Failed(str(error) or type(error).__name__, "System.Net.Http.HttpRequestException, System.Net.Http") from None


async def _result(response: ClientResponse) -> str:
    """Status, headers that are not the content's, and the content as text."""
    headers: dict[str, Any] = {}
    for name in dict.fromkeys(response.headers):
        if name.lower() not in _CONTENT_HEADERS and not name.lower().startswith("content-"):
            values = response.headers.getall(name)
            headers[name] = values[0] if len(values) == 1 else values
    content = await response.text(errors="replace")
    return msgspec.json.encode({"statusCode": response.status, "headers": headers, "content": content}).decode()
