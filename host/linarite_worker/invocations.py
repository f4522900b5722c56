"""One invocation: arguments from what the host sent, the call, and what the host gets back.

Source: azure-functions-python-worker, dispatcher; functions-host section 2.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from azure.functions.meta import Datum

from linarite_worker.context import Context, Out
from linarite_worker.converters import decode, encode, takes_metadata
from linarite_worker.datums import BodyReader, from_wire, to_wire
from linarite_worker.failures import BadValue, stack_text, type_name
from linarite_worker.frames import Header, frame
from linarite_worker.loader import LoadedFunction, source_of
from linarite_worker.signatures import STREAMED


@dataclass(frozen=True)
class Request:
    """An invocation as it arrived."""

    header: Header
    body: bytes
    function: LoadedFunction

    @property
    def id(self) -> str:
        id_: str = self.header["id"]
        return id_


def arguments(request: Request) -> dict[str, Any]:
    """Keyword arguments of the call, but for a request that is streamed. Raises what a converter raises."""
    function, header = request.function, request.header
    signature = function.signature
    body = BodyReader(request.body)
    datums = {name: from_wire(wire, body) for name, wire in header["inputs"].items()}
    metadata: dict[str, Datum] = {}
    if signature.takes_metadata:
        metadata = {name: from_wire(wire, body) for name, wire in header.get("trigger_metadata", {}).items()}
    given: dict[str, Any] = {}
    for name, datum in datums.items():
        if (converter := signature.inputs.get(name)) is not None and converter is not STREAMED:
            given[name] = decode(converter, datum, metadata if takes_metadata(converter) else {})
    for name in signature.outputs:
        given[name] = Out()
    if signature.wants_context:
        given["context"] = Context(header, function.name, function.directory)
    return given


def success(request: Request, given: dict[str, Any], value: Any) -> bytes:
    """The frame of a result. Raises if the value cannot be encoded. Of a request that is streamed the response has gone its own way."""
    signature = request.function.signature
    if value is not None and signature.returns is None:
        message = f"function {request.function.name!r} without a $return binding returned a non-None value"
        raise BadValue(message, "RuntimeError", "It has no binding for what it returns: return nothing, or declare one named $return.")
    body: list[bytes] = []
    outputs = {
        name: to_wire(encode(converter, out, pytype), body)
        for name, (converter, pytype) in signature.outputs.items()
        if (out := given[name].get()) is not None
    }
    returned = (
        None if signature.returns is None or signature.streamed else to_wire(encode(signature.returns, value, signature.return_type), body)
    )
    return frame({"op": "result", "id": request.id, "value": returned, "outputs": outputs}, b"".join(body))


def failure(invocation_id: str, error: BaseException, stack: str | None = None) -> bytes:
    """The frame of a failure; `stack`: instead of the exception's own."""
    if stack is None:
        stack = stack_text(error)
    header = {"op": "failed", "id": invocation_id, "type_name": type_name(error), "message": _text(error), "stack": stack}
    return frame({name: value.encode(errors="backslashreplace").decode() for name, value in header.items()})


def _bad_value(request: Request, error: BadValue) -> bytes:
    """The failure of a function that has ended well: no frame is left, so the place is where it begins."""
    function = request.function
    file, line = source_of(function.call) or (function.directory, 1)
    hint = f"    {error.hint}\n" if error.hint else ""
    return failure(request.id, error, f'  File "{file}", line {line}, in {function.name}\n{hint}')


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:
        return f"<str() of the exception failed: {type(broken).__name__}>"


def run(request: Request) -> bytes:
    """Call a plain function; the frame of its result or failure."""
    try:
        given = arguments(request)
        return success(request, given, request.function.call(**given))
    except BadValue as error:
        return _bad_value(request, error)
    except Exception as error:
        return failure(request.id, error)


async def run_async(request: Request) -> bytes:
    """Call an async function; the frame of its result or failure."""
    try:
        given = arguments(request)
        return success(request, given, await request.function.call(**given))
    except BadValue as error:
        return _bad_value(request, error)
    except Exception as error:
        return failure(request.id, error)
