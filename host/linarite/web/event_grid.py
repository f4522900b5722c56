"""The web hooks that Azure Event Grid calls: its handshakes, and what of a delivery is handed on.

There is no Event Grid on a developer's machine; whoever tries a function out posts its events, or has a tunnel bring the real ones.
Source: azure-sdk-for-net, HttpRequestProcessor of the Event Grid extension, which the blob extension shares.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from linarite.bindings.newtonsoft import NotJson, Value, parse
from linarite.web.reply import Reply, as_json, empty, text
from linarite.web.requests import ClientGone, Receive, Scope, Send, joined, read_body, read_headers, read_query

log = logging.getLogger(__name__)

Event = Mapping[str, Value]

_KIND = "aeg-event-type"
_SENDERS = (
    "eventgrid.azure.net",
    "eventgrid.azure.us",
    "eventgrid.azure.cn",
    "eventgrid.azure.eaglex.ic.gov",
    "eventgrid.azure.microsoft.scloud",
)
"""Who may be told that it may send; the first if it does not say who it is."""


class BadEvents(Exception):
    """A body that no events can be read from; the text says why."""


class Receiver(Protocol):
    """Takes events for a function, called as the query says."""

    def refusal(self, function_name: str) -> Reply | None:
        """Why nothing can be sent to that function, if so."""
        ...

    async def receive(self, function_name: str, events: Sequence[Event]) -> Reply:
        """Take a delivery. Raises BadEvents."""
        ...


class EventGridDoor:
    """One web hook, as an ASGI app."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            reply = await self._answer(scope, receive)
        except ClientGone:
            return
        except BadEvents as problem:
            log.warning("%s was sent something else than events: %s", scope["path"], problem)
            reply = text(400, str(problem))
        await reply.send(send)

    async def _answer(self, scope: Scope, receive: Receive) -> Reply:
        headers = read_headers(scope)
        name = _function_name(scope)
        if (refused := self._receiver.refusal(name)) is not None:
            return refused
        if scope["method"] == "OPTIONS":
            sender = headers.get("webhook-request-origin", "")
            return Reply(200, [(b"webhook-allowed-origin", (sender if sender in _SENDERS else _SENDERS[0]).encode())])
        kind = headers.get(_KIND, "")
        if kind.lower() == "unsubscribe":
            return empty(202)
        if kind.lower() not in ("notification", "subscriptionvalidation"):
            raise BadEvents(f"Expected a header {_KIND}: Notification, found {kind!r}. Event Grid itself always sends it.")
        body = await read_body(receive)
        if kind.lower() == "notification":
            return await self._receiver.receive(name, _events(body))
        log.info("perform handshake with eventGrid for function: %s", name)
        return as_json(200, {"validationResponse": _validation_code(body)})


def _function_name(scope: Scope) -> str:
    query = joined(read_query(scope["query_string"]))
    return next((value for name, value in query.items() if name.lower() == "functionname"), "")


def _events(body: bytes) -> Sequence[Event]:
    value = _json(body.decode("utf-8-sig", "replace"))
    events = value if isinstance(value, list) else [value]
    if not all(isinstance(event, Mapping) for event in events):
        raise BadEvents("Expected a JSON object, or an array of them, each an event.")
    return [event for event in events if isinstance(event, Mapping)]


def _validation_code(body: bytes) -> str:
    """The code of a handshake; a CloudEvent has its data as JSON within JSON."""
    events = _events(body)
    data = events[0].get("data") if events else None
    if isinstance(data, str):
        data = _json(data)
    code = data.get("validationCode") if isinstance(data, Mapping) else None
    if not isinstance(code, str):
        raise BadEvents("Expected an event whose data has a validationCode.")
    return code


def _json(source: str) -> Value:
    try:
        return parse(source)
    except NotJson as problem:
        raise BadEvents(f"Expected JSON: {problem}.") from None
