"""Values in frames, and the SDK's `Datum`: one to the other.

Source: azure.functions.meta.Datum; azure-functions-python-worker, bindings/datumdef (which kinds exist, and what each holds).
"""

from __future__ import annotations

import json
from email.utils import format_datetime, parsedate_to_datetime
from http.cookies import Morsel
from typing import Any

from azure.functions.meta import Datum

from linarite_worker.frames import INLINE

Wire = list[Any]
"""`[kind, value]` or `[kind, rest, size of its part of the body]`."""


class BodyReader:
    """Hands out a frame's body piece by piece, in the order of the header."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def take(self, size: int) -> bytes:
        start, self._at = self._at, self._at + size
        return self._body if size == len(self._body) else self._body[start : self._at]


class _Collection:
    """What the SDK's converters expect of a list: one attribute, named like the kind."""

    def __init__(self, attribute: str, values: list[Any]) -> None:
        setattr(self, attribute, values)


class _ModelBindingData:
    """Reference to something in a service, for the SDK extensions that build clients."""

    def __init__(self, source: str, version: str, content_type: str, content: bytes) -> None:
        self.source = source
        self.version = version
        self.content_type = content_type
        self.content = content


def from_wire(wire: Wire, body: BodyReader) -> Datum:
    """The SDK's form of a value that arrived."""
    kind, value = wire[0], wire[1]
    size = wire[2] if len(wire) > 2 else 0
    if kind in ("string", "json"):
        return Datum(body.take(size).decode() if value is None else value, kind)
    if kind == "http":
        return _http_request(value, body.take(size))
    if kind in ("none", "http_stream"):  # the latter is not for a converter
        return Datum(None, None)
    if kind == "bytes":
        return Datum(body.take(size), kind)
    if kind == "collection_bytes":
        return Datum(_Collection("bytes", [body.take(length) for length in value]), kind)
    if kind.startswith("collection_"):
        return Datum(_Collection(kind.removeprefix("collection_"), value), kind)
    if kind == "model_binding_data":
        source, version, content_type = value
        return Datum(_ModelBindingData(source, version, content_type, body.take(size)), kind)
    return Datum(value, kind)


def _http_request(parts: list[Any], body: bytes) -> Datum:
    method, url, headers, query, params = parts
    value = {
        "method": Datum(method, "string"),
        "url": Datum(url, "string"),
        "headers": {name: Datum(text, "string") for name, text in headers.items()},
        "query": {name: Datum(text, "string") for name, text in query.items()},
        "params": {name: Datum(text, "string") for name, text in params.items()},
        "body": Datum(body, "bytes"),
    }
    return Datum(value, "http")


def to_wire(datum: Datum | None, body: list[bytes]) -> Wire:
    """The frame's form of a value a converter made; long parts are appended to `body`. Raises TypeError for a kind nobody knows."""
    if datum is None or datum.type is None:
        return ["none", None]
    kind: str = datum.type
    value: Any = datum.value
    if kind in ("string", "json"):
        if len(value) <= INLINE:
            return [kind, value]
        return [kind, None, _append(value.encode(), body)]
    if kind == "http":
        return _http_response(value, body)
    if kind == "bytes":
        return [kind, None, _append(bytes(value), body)]
    if kind in ("dict", "list"):
        return to_wire(Datum(json.dumps(value), "json"), body)
    if kind in ("int", "bool"):
        return ["int", int(value)]
    if kind == "double":
        return [kind, value]
    if kind.startswith("collection_"):
        return _collection(kind, value, body)
    raise TypeError(f"unexpected Datum type: {kind!r}")


def _append(part: bytes, body: list[bytes]) -> int:
    body.append(part)
    return len(part)


def _collection(kind: str, value: Any, body: list[bytes]) -> Wire:
    if kind == "collection_bytes":
        return [kind, [_append(bytes(part), body) for part in value.bytes]]
    return [kind, list(getattr(value, kind.removeprefix("collection_")))]


def _http_response(value: dict[str, Any], body: list[bytes]) -> Wire:
    status, headers, cookies, content = value["status_code"], value["headers"], value.get("cookies"), value["body"]
    payload = b"" if content is None or content.value is None else content.value
    if isinstance(payload, str):
        payload = payload.encode()
    parts = [status.value, {name: text.value for name, text in headers.items()}, [_cookie(m) for c in cookies or () for m in c.values()]]
    return ["http", parts, _append(bytes(payload), body)]


def _cookie(morsel: Morsel[str]) -> dict[str, Any]:
    """Attributes that are set, by their names in `Set-Cookie`; `expires` in the form of RFC 7231. Raises ValueError if it is no date."""
    attributes: dict[str, Any] = {"name": morsel.key, "value": morsel.value, **{name: value for name, value in morsel.items() if value}}
    if expires := attributes.get("expires"):
        try:
            moment = parsedate_to_datetime(expires)
        except (TypeError, ValueError):
            raise ValueError(f"Set-Cookie {morsel.key!r}: {expires!r} is not a date such as Thu, 12 Jan 2017 13:55:08 GMT") from None
        attributes["expires"] = format_datetime(moment, usegmt=moment.utcoffset() is not None and not moment.utcoffset())
    return attributes
