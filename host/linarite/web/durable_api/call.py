"""One request to the management API, and what its handlers may ask of the host."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from urllib.parse import quote, unquote

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from linarite.clock import Clock
from linarite.dialects.names import DurableFunctions
from linarite.identity import hub_name_objection
from linarite.settings import DurableSettings
from linarite.taskhub.protocol import HubClient
from linarite.timestamps import Timestamp, timestamp
from linarite.web.durable_api.answers import Refused, argument_error, error, json_answer
from linarite.web.durable_api.query import Query
from linarite.web.durable_api.urls import Webhook, check_status_urls, is_default_connection


class HubLookup(Protocol):
    """Finds a task hub by what a binding or a URL names."""

    async def __call__(self, hub: str | None, connection: str | None) -> HubClient:
        """The hub of that name in the storage of that connection; None stands for the app's own.

        Raises LinariteError if there is no such connection or its storage does not answer.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DurableHost:
    """What the API needs of its host.

    `webhook`: the public door and the app's own hub, as they are now. `functions`: the app's, as they are now. `is_disabled`: whether the
    orchestrator of that name is switched off by an app setting.
    """

    webhook: Callable[[], Webhook]
    settings: DurableSettings
    hubs: HubLookup
    functions: Callable[[], DurableFunctions]
    is_disabled: Callable[[str], bool]
    clock: Clock


class Wait(NamedTuple):
    """How long to wait for an instance to finish, and how often to look."""

    timeout_s: float
    interval_s: float


class Call:
    """A request and its parameters. `webhook`: by which URLs its answer points back at instances."""

    def __init__(self, host: DurableHost, request: Request, webhook: Webhook) -> None:
        self.host = host
        self.request = request
        self.query = Query(request.scope["query_string"])
        named = {"hub": self.query.text("taskHub"), "connection": self.query.text("connection")}
        self.webhook = msgspec.structs.replace(webhook, **{name: value for name, value in named.items() if value and value.strip()})

    async def hub(self) -> HubClient:
        """The hub that the request is about; refused if none can have the name it gives."""
        own = self.host.webhook()
        named = self.webhook
        if objection := hub_name_objection(named.hub):
            raise Refused(argument_error(objection))
        other_hub = None if named.hub.lower() == own.hub.lower() else named.hub
        other_connection = None if is_default_connection(named.connection, own.connection) else named.connection
        return await self.host.hubs(other_hub, other_connection)

    def now(self) -> Timestamp:
        return timestamp(self.host.clock.now())

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case."""
        return self.request.headers.get("content-type", "").partition(";")[0].strip().lower()

    async def body(self) -> str | None:
        """The body as text, without a byte-order mark; None if there is none. Bytes that do not fit the charset are replaced."""
        content = await self.request.body()
        return _decoded(content, self._charset()) if content else None

    def _charset(self) -> str:
        for parameter in self.request.headers.get("content-type", "").split(";")[1:]:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "charset":
                return value.strip().strip('"')
        return "utf-8"

    def wait(self) -> Wait | None:
        """How to wait for the instance, if the request asks for it; refused if it would look less than once."""
        timeout, interval = self.query.seconds("timeout"), self.query.seconds("pollingInterval")
        if timeout is None or interval is None:
            return None
        if interval > timeout:
            raise Refused(error(400, f"Total timeout {timeout:g} should be bigger than retry timeout {interval:g}"))
        return Wait(timeout, interval)

    def check_status(self, instance_id: str) -> Response:
        """202 with the URLs by which the instance is managed."""
        urls = check_status_urls(self.webhook, instance_id)
        return json_answer(urls, 202, {"Location": urls["statusQueryGetUri"], "Retry-After": "10"})

    @property
    def url(self) -> str:
        """The request's own URL."""
        path = quote(unquote(raw_path(self.request)), safe="/!$&'()*+,;=:@~")
        query = self.request.scope["query_string"].decode("ascii", "replace")
        return f"{origin(self.request)}{path}{'?' if query else ''}{query}"


def raw_path(request: Request) -> str:
    """The path as sent, still percent-encoded."""
    raw: bytes | None = request.scope.get("raw_path")
    return quote(request.scope["path"]) if raw is None else raw.partition(b"?")[0].decode("ascii", "replace")


def origin(request: Request, *, forwarded: bool = False) -> str:
    """Scheme and authority under which the client reached us; `forwarded`: as a proxy in front of us says, if it does."""
    host, scheme = request.headers.get("x-forwarded-host"), request.headers.get("x-forwarded-proto")
    if forwarded and host and scheme:
        return f"{scheme.partition(',')[0].strip()}://{host.partition(',')[0].strip()}"
    return f"{request.scope['scheme']}://{request.headers.get('host') or request.url.netloc}"


def _decoded(content: bytes, charset: str) -> str:
    for mark, encoding in ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace")
    try:
        return content.decode(charset, "replace")
    except LookupError:
        raise Refused(argument_error(f"The charset {charset!r} of the request's body is unknown; send UTF-8.")) from None
