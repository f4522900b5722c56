"""The host's half of the frames between host and worker; `linarite_worker.frames` describes them.

Structs for what a worker says, bytes for what it is told. Nothing here does IO.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec

from linarite.invocation import Datum, DatumKind, HttpExchange, HttpRequest, HttpResponse, Invocation, InvocationResult
from linarite.metadata import Function, SourceLine
from linarite.workers.interpreter_arguments import Debugger
from linarite.workers.protocol import LoadFailure, LogLine

_LENGTHS = struct.Struct("!II")
_INLINE = 512
_encode = msgspec.json.Encoder().encode


class Value(msgspec.Struct, frozen=True, array_like=True):
    """A datum in a header; `size` bytes of the frame's body belong to it."""

    kind: DatumKind
    value: Any = None
    size: int = 0


class Ready(msgspec.Struct, frozen=True, tag="ready", tag_field="op"):
    """The interpreter is fit for work: from here on what goes wrong is the app's."""


class IndexedFunction(msgspec.Struct, frozen=True, kw_only=True):
    """A decorated function as the worker found it; `bindings` and `retry` are JSON objects as the app wrote them."""

    id: str
    name: str
    bindings: tuple[dict[str, Any], ...]
    script_file: str
    entry_point: str
    directory: str
    def_name: str
    source: SourceLine | None
    retry: dict[str, Any] | None
    is_streamed: bool


class Indexed(msgspec.Struct, frozen=True, kw_only=True, tag="indexed", tag_field="op"):
    """The app has been loaded, or not."""

    functions: tuple[IndexedFunction, ...] = ()
    failure: LoadFailure | None = None
    function_failures: tuple[LoadFailure, ...] = ()
    python_version: str
    sdk_versions: dict[str, str]


class Line(LogLine, frozen=True, kw_only=True, tag="log", tag_field="op"):
    """User code logged or printed."""


class Result(msgspec.Struct, frozen=True, kw_only=True, tag="result", tag_field="op"):
    """A function returned."""

    id: str
    value: Value | None
    outputs: dict[str, Value]


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed", tag_field="op"):
    """A function raised, or what it returned could not be encoded."""

    id: str
    type_name: str
    message: str
    stack: str


class Asgi(msgspec.Struct, frozen=True, kw_only=True, tag="asgi", tag_field="op"):
    """A function wants the next piece of its HTTP request, or has the beginning or a piece of the response. Each is answered."""

    id: str
    number: int
    type: Literal["receive", "start", "body"]
    status: int = 200
    headers: list[tuple[str, str]] = []
    more: bool = False


Message = Ready | Indexed | Line | Result | Failed | Asgi

_decode_message = msgspec.json.Decoder(Message).decode


def load(script: str, declared: Sequence[Function] | None, debugger: Debugger | None = None) -> bytes:
    """Tells the worker to load its app: these functions of function.json files, or with None what the app's script decorates.

    `debugger`: the one that the worker was started with.
    """
    functions = None if declared is None else [_declared(function) for function in declared]
    header: dict[str, Any] = {"op": "load", "script": script, "functions": functions}
    if debugger is not None:
        header["debugger"] = {"address": f"{debugger.host}:{debugger.port}", "waits": debugger.waits}
    return _frame(header, [])


def _declared(function: Function) -> dict[str, Any]:
    return {
        "id": function.id,
        "name": function.name,
        "directory": function.directory,
        "script_file": function.script_file,
        "entry_point": function.entry_point,
        "bindings": [binding.raw for binding in function.bindings],
    }


def import_ahead(modules: Sequence[str]) -> bytes:
    """Tells the worker to import modules before anyone needs them."""
    return _frame({"op": "import", "modules": list(modules)}, [])


def invoke(invocation: Invocation) -> bytes:
    """Tells the worker to run a function."""
    body: list[bytes] = []
    header: dict[str, Any] = {
        "op": "invoke",
        "id": invocation.id,
        "function_id": invocation.function_id,
        "function_name": invocation.function_name,
        "inputs": {name: _to_wire(datum, body) for name, datum in invocation.inputs.items()},
    }
    if invocation.trigger_metadata:
        header["trigger_metadata"] = {name: _to_wire(datum, body) for name, datum in invocation.trigger_metadata.items()}
    if invocation.trace_parent:
        header["trace_parent"] = invocation.trace_parent
        header["trace_state"] = invocation.trace_state
    if invocation.retry is not None:
        header["retry"] = invocation.retry
    if invocation.seeks is not None:
        header["seeks_task"] = invocation.seeks.id
    return _frame(header, body)


def asgi(message: Asgi, **answer: Any) -> bytes:
    """The answer to an ASGI message; `body` is its body."""
    body = answer.pop("body", b"")
    return _frame({"op": "asgi", "id": message.id, "number": message.number, **answer}, [body] if body else [])


def _frame(header: dict[str, Any], body: list[bytes]) -> bytes:
    text = _encode(header)
    return b"".join((_LENGTHS.pack(len(text), sum(map(len, body))), text, *body))


def _to_wire(datum: Datum, body: list[bytes]) -> tuple[Any, ...]:
    kind, value = datum.kind, datum.value
    match kind:
        case "string" | "json":
            if len(value) <= _INLINE:
                return (kind, value)
            body.append(value.encode())
            return (kind, None, len(body[-1]))
        case "http":
            assert isinstance(value, HttpRequest)
            body.append(value.body)
            return (kind, (value.method, value.url, value.headers, value.query, value.params), len(value.body))
        case "http_stream":
            assert isinstance(value, HttpExchange)
            request = (value.method, value.scheme, value.http_version, value.path, value.raw_path, value.query, value.headers)
            return (kind, (*request, value.params, value.client, value.server))
        case "bytes":
            body.append(value)
            return (kind, None, len(value))
        case "collection_bytes":
            body.extend(value)
            return (kind, [len(part) for part in value])
        case "model_binding_data":
            body.append(value["content"])
            return (kind, (value["source"], value["version"], value["content_type"]), len(body[-1]))
        case _:
            return (kind, value)


def result(message: Result, body: bytes) -> InvocationResult:
    """What a function gave back."""
    at = 0

    def datum(value: Value) -> Datum:
        nonlocal at
        start = at
        match value.kind:
            case "collection_bytes":
                parts = []
                for size in value.value:
                    parts.append(body[at : at + size])
                    at += size
                return Datum("collection_bytes", parts)
            case "http":
                at += value.size
                status, headers, cookies = value.value
                return Datum("http", HttpResponse(status=status, headers=headers, cookies=cookies, body=body[start:at]))
            case "string" | "json" if value.value is None:
                at += value.size
                return Datum(value.kind, body[start:at].decode())
            case "bytes":
                at += value.size
                return Datum("bytes", body[start:at])
            case _:
                return Datum(value.kind, value.value)

    outputs = {name: datum(value) for name, value in message.outputs.items()}
    return InvocationResult(return_value=None if message.value is None else datum(message.value), outputs=outputs)


class FrameParser:
    """Cuts a stream into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[Message, bytes]]:
        """The messages that are complete with these bytes. Raises msgspec.DecodeError for what no worker of ours says."""
        self._buffer += data
        while len(self._buffer) >= _LENGTHS.size:
            header_size, body_size = _LENGTHS.unpack_from(self._buffer)
            end_of_header = _LENGTHS.size + header_size
            end = end_of_header + body_size
            if len(self._buffer) < end:
                return
            with memoryview(self._buffer) as view:
                message = _decode_message(view[_LENGTHS.size : end_of_header])
                body = bytes(view[end_of_header:end])
            del self._buffer[:end]
            yield message, body
