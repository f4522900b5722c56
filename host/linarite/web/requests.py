"""HTTP requests as functions see them: from an ASGI scope and a body to the `HttpRequest` a worker is sent.

Source: azure-functions-host, GrpcMessageConversionExtensions (ToRpcHttp); functions-host sections 2.4 and 3.5.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from linarite.invocation import Datum, HttpRequest, json_text, string
from linarite.web.paths import unescape

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MAX_BODY_BYTES = 104_857_600
"""Unless the setting FUNCTIONS_REQUEST_BODY_SIZE_LIMIT says otherwise."""

MAX_HEADERS, MAX_HEADER_BYTES, MAX_LINE_BYTES = 100, 32_768, 8_192
"""Limits of the Functions host's server."""

_TRACE_PARENT = re.compile(r"00-(?P<trace>(?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-(?P<flags>[0-9a-f]{2})")
"""Source: W3C Trace Context, version 00."""


class ClientGone(Exception):
    """The client hung up before its request was complete; there is nobody to answer."""


def refusal(scope: Scope) -> int | None:
    """The status with which the Functions host's server refuses a request that ours lets pass, or None."""
    size_bytes, has_host = 0, False
    for name, value in scope["headers"]:
        size_bytes += len(name) + len(value) + 4
        has_host = has_host or name == b"host"
    if len(scope["headers"]) > MAX_HEADERS or size_bytes > MAX_HEADER_BYTES:
        return 431
    if len(scope["raw_path"]) + len(scope["query_string"]) + len(scope["method"]) + 11 > MAX_LINE_BYTES:
        return 414
    if scope["http_version"] != "1.0" and not has_host:
        return 400
    return None if scope["query_string"].isascii() else 400


def read_headers(scope: Scope) -> dict[str, str]:
    """Headers by lower-case name; repeated ones joined by a comma, empty ones kept. Raises UnicodeDecodeError: not UTF-8, so 400."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("ascii"), raw_value.decode()
        if name in headers:
            value = f"{headers[name]},{value}" if headers[name] and value else headers[name] or value
        headers[name] = value
    return headers


def read_query(query: bytes) -> dict[str, list[str]]:
    """Values by name. Names that differ only in case are one, in the later spelling."""
    found: dict[str, tuple[str, list[str]]] = {}
    for pair in query.decode("ascii").split("&"):
        if not pair:
            continue
        name, _, value = pair.replace("+", " ").partition("=")
        name = unescape(name)
        _, values = found.get(name.lower(), (name, []))
        found[name.lower()] = (name, [*values, unescape(value)])
    return dict(found.values())


def joined(query: Mapping[str, list[str]]) -> dict[str, str]:
    """`req.params`: repeated values joined by a comma, empty ones left out."""
    params = {name: ",".join(value for value in values if value) for name, values in query.items()}
    return {name: value for name, value in params.items() if value}


async def read_body(receive: Receive) -> bytes:
    """The whole body. Raises ClientGone."""
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def http_request(scope: Scope, url_path: str, headers: dict[str, str], params: dict[str, str], body: bytes) -> HttpRequest:
    """What the worker is sent. `url_path` is the encoded path, `params` are the route's."""
    raw_query = scope["query_string"]
    url = f"{scope['scheme']}://{headers.get('host', '')}{url_path}"
    if not raw_query:
        return HttpRequest(method=scope["method"], url=url, headers=headers, query={}, params=params, body=body)
    query = joined(read_query(raw_query))
    return HttpRequest(
        method=scope["method"], url=f"{url}?{raw_query.decode('ascii')}", headers=headers, query=query, params=params, body=body
    )


def trace_of(headers: Mapping[str, str]) -> tuple[str, str]:
    """The trace context of a call: the caller's trace, continued by a span of ours; "" and "" where the caller sends none."""
    found = _TRACE_PARENT.fullmatch(headers.get("traceparent", ""))
    if found is None:
        return "", ""
    return f"00-{found['trace']}-{secrets.token_hex(8)}-{found['flags']}", headers.get("tracestate", "")


def trigger_metadata(request: HttpRequest, raw_query: bytes) -> dict[str, Datum]:
    """Binding data of an HTTP trigger, for the expressions of its other bindings.

    Top-level members of a JSON body, each query value (of a repeated name the last), each route value, the later of these over the
    earlier; and `Query` and `Headers` whole.
    """
    from linarite.bindings.trigger_metadata import overlaid, payload_members  # brings storage along, which few HTTP functions need

    query = {name: values[-1] for name, values in read_query(raw_query).items()}
    is_json = "json" in request.headers.get("content-type", "").lower()
    metadata = payload_members(request.body.decode("utf-8-sig", "replace")) if is_json else {}
    metadata = overlaid(metadata, {name: string(value) for name, value in query.items() if name.lower() != "code"})
    metadata = overlaid(metadata, {name: string(value) for name, value in request.params.items()})
    whole = {"Query": query, "Headers": request.headers}
    return overlaid(metadata, {name: json_text(json.dumps(value, ensure_ascii=False)) for name, value in whole.items()})
