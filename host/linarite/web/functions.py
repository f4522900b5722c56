"""Function routes: a request in, the function invoked, its response out. The hot path.

Source: azure-functions-host, FunctionInvocationMiddleware; functions-host sections 3.5 and 3.6.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from linarite.errors import LinariteError, UserCodeFailed
from linarite.invocation import Datum, HttpRequest, InvocationResult
from linarite.metadata import Function
from linarite.settings import AppSettings
from linarite.web import requests, responses
from linarite.web.pieces import Pieces, http_exchange
from linarite.web.reply import Reply
from linarite.web.requests import Receive, Scope, Send
from linarite.web.site import Invoker, Site
from linarite.web.throttle import Throttle

log = logging.getLogger(__name__)

REASON = "This function was programmatically called via the host APIs."
_NEEDS_NO_BINDING_DATA = ("http", "durableclient")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a call of one function needs to know, worked out once."""

    function: Function
    request: str
    """Name of the trigger's binding."""
    response: str | None
    """Name of the output that carries the response."""
    level: str
    """Who may call it: `anonymous`, `function` or `admin`."""
    wants_binding_data: bool
    """Whether any other binding could have an expression in it; what goes to a Python function has none of it."""


def endpoint(function: Function) -> Endpoint:
    """Work out the endpoint of an HTTP function."""
    others = [binding for binding in function.bindings if not binding.is_trigger and binding.type.lower() not in _NEEDS_NO_BINDING_DATA]
    trigger = function.trigger
    return Endpoint(function, trigger.name, responses.http_output(function), trigger.text("authLevel", "function").lower(), bool(others))


class HttpFunctions:
    """The HTTP functions of one generation of an app."""

    def __init__(self, site: Site, invoker: Invoker) -> None:
        self._invoker = invoker
        self._throttle = Throttle(site.host.http)
        self._max_body_bytes = _max_body_bytes(site.settings)
        self.endpoints = {route.function.id: endpoint(route.function) for route in site.routes.routes}
        self._warned: set[tuple[str, str]] = set()

    async def answer(
        self, target: Endpoint, values: dict[str, str], scope: Scope, url_path: str, receive: Receive, send: Send
    ) -> Reply | None:
        """Call a function for a request. `values` are the route's parameters, `url_path` is the path as URLs show it.

        None if the function has answered by itself.
        """
        if self._throttle.is_full:
            return Reply(429, [(b"x-function-scaleout", b"1")])
        async with self._throttle:
            try:
                headers = requests.read_headers(scope)
            except UnicodeDecodeError:
                return Reply(400, closes=True)
            length = headers.get("content-length", "0")
            if int(length) > self._max_body_bytes:
                self._refuse(target.function, length)
                return Reply(500, closes=True)
            if target.function.is_streamed:
                return await self._stream(target, requests.http_request(scope, url_path, headers, values, b""), scope, receive, send)
            if "transfer-encoding" in headers:
                self._warn_of_chunks(target.function)
            body = await requests.read_body(receive) if length != "0" else b""
            request = requests.http_request(scope, url_path, headers, values, body)
            metadata = requests.trigger_metadata(request, scope["query_string"]) if target.wants_binding_data else {}
            parent, state = requests.trace_of(headers)
            inputs = {target.request: Datum("http", request)}
            try:
                result = await self._invoker.invoke(
                    target.function, inputs, metadata, reason=REASON, trace_parent=parent, trace_state=state
                )
            except (UserCodeFailed, LinariteError):
                return Reply(500)  # no detail, in any environment; the invoker has logged it
            return self._reply(target, result)

    async def _stream(self, target: Endpoint, request: HttpRequest, scope: Scope, receive: Receive, send: Send) -> Reply | None:
        """Let a function read the request and answer it piece by piece. `request` is what can be known of it before."""
        pieces = Pieces(receive, send, self._max_body_bytes)
        exchange = {target.request: Datum("http_stream", http_exchange(scope, request.params, pieces))}
        metadata = requests.trigger_metadata(request, scope["query_string"]) if target.wants_binding_data else {}
        parent, state = requests.trace_of(request.headers)
        try:
            await self._invoker.invoke(target.function, exchange, metadata, reason=REASON, trace_parent=parent, trace_state=state)
        except (UserCodeFailed, LinariteError):
            return None if pieces.has_begun else Reply(500)
        finally:
            if pieces.is_too_long:
                self._warn_of_length(target.function)
        return None if pieces.has_begun else Reply(500)

    def _reply(self, target: Endpoint, result: InvocationResult) -> Reply:
        name = target.function.name
        try:
            reply = responses.reply_to(result, target.response)
        except responses.UnusableResponse as unusable:
            _function_log(name).error("The response of %s cannot be sent: %s. The answer is 500.", _described(target.function), unusable)
            return Reply(500, closes=unusable.closes)
        if responses.breaks_framing(responses.response_of(result, target.response)):
            _function_log(name).error(
                "%s sets the header Transfer-Encoding, which is left out here. The Functions host would send a response that no client can "
                "read to its end; leave the header to the server.",
                _described(target.function),
            )
        if reply.remark and (name, reply.remark) not in self._warned:
            self._warned.add((name, reply.remark))
            _function_log(name).warning("The response of %s %s", _described(target.function), reply.remark)
        return reply

    def _refuse(self, function: Function, length: str) -> None:
        log.warning(
            "A request to %s declares a body of %s bytes; the limit is %d. The answer is 500, as on Azure. The setting "
            "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT raises it.",
            _described(function),
            length,
            self._max_body_bytes,
        )

    def _warn_of_length(self, function: Function) -> None:
        log.warning(
            "A request to %s sent more than %d bytes and was cut off, as on Azure. The setting FUNCTIONS_REQUEST_BODY_SIZE_LIMIT raises "
            "the limit.",
            _described(function),
            self._max_body_bytes,
        )

    def _warn_of_chunks(self, function: Function) -> None:
        if (function.name, "") not in self._warned:
            self._warned.add((function.name, ""))
            log.warning(
                "A request to %s came with Transfer-Encoding: chunked; its body was dropped, as the Functions host does. "
                "A deployed app may see the same. Send Content-Length.",
                _described(function),
            )


def _described(function: Function) -> str:
    return f"function '{function.name}'" + (f" ({function.source})" if function.source else "")


def _function_log(name: str) -> logging.Logger:
    return logging.getLogger(f"Function.{name}")


def _max_body_bytes(settings: AppSettings) -> int:
    given = settings.get("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", "").strip()
    return int(given) if given.isascii() and given.isdigit() else requests.MAX_BODY_BYTES
