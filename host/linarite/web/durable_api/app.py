"""The management API as an ASGI app: which handler answers which path.

Two of them run over the same handlers: the public one below the host's web hooks, and the one that the SDK's client calls. They differ
in where they are and in which URLs their answers carry.
Source: the Durable extension's HttpApiHandler, as recorded.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from urllib.parse import unquote

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from linarite.errors import LinariteError
from linarite.web.durable_api import entities, instances, orchestrations, restarts
from linarite.web.durable_api.answers import (
    ARGUMENT_ERROR,
    ARGUMENT_EXCEPTION,
    FAILURE,
    OPERATION_EXCEPTION,
    Refused,
    argument_error,
    empty,
    failure,
)
from linarite.web.durable_api.call import Call, DurableHost, origin, raw_path
from linarite.web.durable_api.urls import Webhook

PUBLIC_PATH = "/runtime/webhooks/durabletask"
RPC_PATH = "/durabletask"

_logger = logging.getLogger(__name__)

Handler = Callable[..., Awaitable[Response]]


async def make_primary(call: Call) -> Response:
    """Make this app the primary one of its hub, which on one machine it is."""
    if not call.host.settings.use_app_lease:
        return argument_error("Cannot make current app primary. This app is not using the AppLease feature.")
    return empty(200)


class _Route(NamedTuple):
    """`path`: literal segments in lower case, `*` for those handed to the handler in order. `method` `*` is any."""

    method: str
    path: tuple[str, ...]
    handler: Handler


_ROUTES = tuple(
    _Route(method, tuple(path.split("/")), handler)
    for method, path, handler in (
        ("POST", "orchestrators/*", orchestrations.start),
        ("POST", "orchestrators/*/*", orchestrations.start),
        ("GET", "instances/*", orchestrations.show_status),
        ("GET", "instances", instances.list_instances),
        ("DELETE", "instances/*", instances.purge_instance),
        ("DELETE", "instances", instances.purge_instances),
        ("POST", "instances/*/raiseevent/*", orchestrations.raise_event),
        ("POST", "instances/*/terminate", orchestrations.terminate),
        ("POST", "instances/*/suspend", orchestrations.suspend),
        ("POST", "instances/*/resume", orchestrations.resume),
        ("POST", "instances/*/rewind", orchestrations.rewind),
        ("POST", "instances/*/restart", restarts.restart),
        ("POST", "instances/*/restartwithoptions", restarts.restart_with_options),
        ("GET", "entities/*/*", entities.read_entity),
        ("GET", "entities/*", entities.list_entities),
        ("GET", "entities", entities.list_entities),
        ("POST", "entities/*/*", entities.signal_entity),
        ("POST", "entities/*", entities.signal_entity),
        ("POST", "entities", entities.signal_entity),
        ("DELETE", "entities/*/*", entities.delete_entity),
        ("DELETE", "entities/*", entities.delete_entity),
        ("DELETE", "entities", entities.delete_entity),
        ("*", "makeprimary", make_primary),
    )
)


class DurableApi:
    """One door. Answers everything below its base path; 404 for what is no route."""

    def __init__(self, host: DurableHost, base_path: str) -> None:
        self._host = host
        self._base_path = base_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        answer = await self._answer(request)
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            found = self._found(request)
            if found is None:
                return self._elsewhere(request)
            handler, parameters = found
            return await handler(Call(self._host, request, self._webhook(request)), *parameters)
        except Refused as refusal:
            return refusal.answer
        except ClientDisconnect:
            return empty(400)
        except LinariteError as problem:
            return failure(500, FAILURE, str(problem), OPERATION_EXCEPTION)
        except Exception as problem:
            _logger.exception("%s %s failed", request.method, request.scope["path"])
            return failure(500, FAILURE, str(problem), type(problem).__name__)

    def _found(self, request: Request) -> tuple[Handler, list[str]] | None:
        path = raw_path(request)
        below = path[len(self._base_path) :]
        if path[: len(self._base_path)].lower() != self._base_path or below[:1] not in ("", "/"):
            return None
        segments = [unquote(segment) for segment in below.split("/") if segment]
        if any("/" in segment for segment in segments):  # an encoded slash
            return None
        return _route(request.method, segments)

    def _elsewhere(self, request: Request) -> Response:
        if raw_path(request) == "/":
            return failure(400, ARGUMENT_ERROR, f"Nothing is here; paths begin with {self._base_path}/.", ARGUMENT_EXCEPTION)
        return empty(404)

    def _webhook(self, request: Request) -> Webhook:
        """How the answer points back at instances: always by the public door, under the name by which the client knows us."""
        public = self._host.webhook()
        if self._base_path != PUBLIC_PATH:
            return public
        known_as = origin(request, forwarded=self._host.settings.use_forwarded_host)
        return msgspec.structs.replace(public, base_url=f"{known_as}{PUBLIC_PATH}")


def _route(method: str, segments: list[str]) -> tuple[Handler, list[str]] | None:
    for route in _ROUTES:
        if route.method in (method, "*") and len(route.path) == len(segments):
            pairs = list(zip(route.path, segments, strict=True))
            if all(pattern in ("*", segment.lower()) for pattern, segment in pairs):
                return route.handler, [segment for pattern, segment in pairs if pattern == "*"]
    return None
