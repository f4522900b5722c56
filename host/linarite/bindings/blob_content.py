"""The content of a blob as a value for the worker, and a function's output as the content of a blob. Pure rules.

Whether text or bytes arrive depends on `dataType`. Without it a trigger hands out bytes, while an input hands out text, in which bytes
that are not UTF-8 are lost; the Functions host does the same, so it is kept, and said.
Source: azure-functions-host, FunctionBinding (ConvertStreamToValue, ConvertValueToStream) and WorkerFunctionInvoker; recorded triggers.
"""

from __future__ import annotations

import codecs
import json
import struct

from linarite.bindings.blob_paths import BlobPath
from linarite.bindings.newtonsoft import compact, parse
from linarite.errors import AppError
from linarite.invocation import Datum, string
from linarite.metadata import Binding

SOURCE = "AzureStorageBlobs"
"""The service that references to blobs name."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class BadBlobContent(AppError):
    """A function's output cannot be written to a blob."""


def is_deferred(binding: Binding) -> bool:
    """Whether the function wants a client for the blob, made in the worker, instead of its content."""
    properties = binding.get("properties")
    return isinstance(properties, dict) and str(properties.get("SupportsDeferredBinding")).lower() == "true"


def reference(path: BlobPath, connection: str) -> Datum:
    """What the worker makes a blob client from. `connection` is the setting's name, which the worker looks up in its environment."""
    content = json.dumps({"Connection": connection, "ContainerName": path.container, "BlobName": path.name}).encode()
    return Datum("model_binding_data", {"source": SOURCE, "version": "1.0", "content_type": "application/json", "content": content})


def value_of(content: bytes, binding: Binding) -> Datum:
    """A blob's content in the form its binding asks for."""
    data_type = binding.text("dataType").lower()
    as_bytes = data_type in ("binary", "stream") or (data_type != "string" and binding.is_trigger)
    return Datum("bytes", content) if as_bytes else string(text_of(content))


def text_of(content: bytes) -> str:
    """Text as .NET reads it: UTF-8, or what a byte order mark says; what cannot be read becomes U+FFFD."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace")
    return content.decode("utf-8", "replace")


def loses_bytes(value: Datum, content: bytes) -> bool:
    """Whether a blob's content cannot be had back from the value made of it."""
    return value.kind == "string" and "\ufffd" in value.value and value.value.encode() != content


def content_of(output: Datum) -> bytes:
    """The content of the blob an output becomes. Raises BadBlobContent.

    Numbers are written as .NET writes them to a stream: four bytes of an integer, eight of a double, the lowest first.
    """
    match output.kind:
        case "bytes":
            return bytes(output.value)
        case "string":
            return str(output.value).encode("utf-8", "replace")
        case "json":
            return compact(parse(output.value)).encode("utf-8", "replace")
        case "int":
            return struct.pack("<I", output.value & 0xFFFFFFFF)
        case "double":
            return struct.pack("<d", output.value)
        case _:
            raise BadBlobContent(f"A blob takes text, bytes or JSON, not a value of kind {output.kind}.")
