"""One call of one function, and what comes back: the values that cross between host and worker.

A value is a `Datum`: a kind and a Python value, the same kinds the Functions host sends its workers over gRPC.
Source: azure-functions `meta.Datum`; azure-functions-host, GrpcMessageConversionExtensions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Literal

import msgspec

DatumKind = Literal[
    "none",
    "string",
    "bytes",
    "json",
    "int",
    "double",
    "http",
    "http_stream",
    "collection_string",
    "collection_bytes",
    "collection_sint64",
    "model_binding_data",
]


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP request as a function sees it; header names are lower case, repeated values already joined."""

    method: str
    url: str
    headers: dict[str, str]
    query: dict[str, str]
    params: dict[str, str]
    body: bytes


class HttpResponse(msgspec.Struct, frozen=True, kw_only=True):
    """An `HttpResponse` a function returned. `cookies` are attribute maps as the SDK parses `Set-Cookie`."""

    status: str
    headers: dict[str, str]
    cookies: list[dict[str, Any]]
    body: bytes


AsgiMessage = MutableMapping[str, Any]


class HttpExchange(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP request that a function reads, and answers, piece by piece: `receive` and `send` give and take ASGI messages.

    Texts are as they came, a character a byte, but for `path` and `params`.
    """

    method: str
    scheme: str
    http_version: str
    path: str
    raw_path: str
    query: str
    headers: list[tuple[str, str]]
    params: dict[str, str]
    client: tuple[str, int] | None
    server: tuple[str, int | None] | None
    receive: Callable[[], Awaitable[AsgiMessage]]
    send: Callable[[AsgiMessage], Awaitable[None]]


class Datum(msgspec.Struct, frozen=True):
    """A kind and its value: str for string and json (JSON *text*), bytes, int, float, HttpRequest or HttpResponse for http, HttpExchange
    for http_stream, lists for collections, a dict with source, version, content_type and content (bytes) for model_binding_data, None for
    none."""

    kind: DatumKind
    value: Any = None


NONE = Datum("none")


def string(value: str) -> Datum:
    return Datum("string", value)


def json_text(value: str) -> Datum:
    return Datum("json", value)


class RetryAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """Which attempt of a retried invocation this is; `failure` is what ended the one before."""

    retry_count: int
    max_retry_count: int
    failure: str | None = None


class SoughtTask(msgspec.Struct, frozen=True):
    """A task of an orchestrator, by its id; None means wherever the orchestrator is when its history ends."""

    id: int | None


class Place(msgspec.Struct, frozen=True):
    """A line of an orchestrator that yields a task; `name` is what the task calls, "" if that has none."""

    file: str
    line: int
    name: str


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """What the worker is asked to run. `inputs` holds the trigger's value and every input binding's, by binding name."""

    id: str
    function_id: str
    function_name: str
    inputs: dict[str, Datum]
    trigger_metadata: dict[str, Datum] = {}
    trace_parent: str = ""
    trace_state: str = ""
    retry: RetryAttempt | None = None
    seeks: SoughtTask | None = None
    """Not for the function's result, but for the place in it that yields this task; the result is JSON text of that place, or null."""


class InvocationResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a function gave back: `return_value` if any binding takes one, and each `Out` that was set, by binding name."""

    return_value: Datum | None = None
    outputs: dict[str, Datum] = {}
