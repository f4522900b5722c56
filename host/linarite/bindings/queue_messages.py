"""What goes into a queue for a function's output, and what comes out of one for its trigger. Pure rules.

A string that looks like JSON is taken apart: an array becomes one message per element, an object is written anew with blanks; anything
else passes as it is. Between the service and us messages are Base64 text, or plain text with `messageEncoding` `none`.
Source: azure-functions-host, FunctionBinding (ReadAsEnumerable); Storage queues extension; recorded outputs.
"""

from __future__ import annotations

import base64
import binascii
from typing import Literal

from linarite.bindings.newtonsoft import NotJson, looks_like_json, parse, plain_text
from linarite.errors import AppError
from linarite.invocation import Datum

Encoding = Literal["base64", "none"]

MAX_TEXT_BYTES = 65536
"""The longest message text a queue takes, as it is sent."""


class BadMessage(AppError):
    """A function's output cannot be put into a queue."""


class NotDecodable(ValueError):
    """A message that was received is not in the encoding that is expected."""


def contents(output: Datum) -> list[bytes]:
    """The messages an output becomes; none for an output that was not set. Raises BadMessage.

    Numbers and truth values read as in .NET: `True`, `1` for 1.0.
    """
    match output.kind:
        case "none":
            return []
        case "bytes":
            return [output.value]
        case "json":
            return _of_json(output.value)
        case "string":
            return _of_string(output.value)
        case "int" | "double":
            return [plain_text(output.value).encode()]
        case "collection_string":
            return [text.encode() for text in output.value]
        case "collection_bytes":
            return list(output.value)
        case _:
            raise BadMessage(f"A queue takes text, bytes or JSON, not a value of kind {output.kind}.")


def _of_string(text: str) -> list[bytes]:
    return _of_json(text) if looks_like_json(text) else [_utf8(text)]


def _of_json(text: str) -> list[bytes]:
    try:
        value = parse(text)
    except NotJson as problem:
        # The Functions host fails here too: it goes by the brackets at both ends.
        raise BadMessage(
            f"The queue output {_shown(text)} begins and ends like JSON but is not: {problem}. The Functions host refuses such a text as "
            "well; send JSON (json.dumps), or a text without brackets at both ends."
        ) from None
    if value is None:
        return []
    if isinstance(value, str):
        return _of_string(value)
    return [_utf8(plain_text(item)) for item in (value if isinstance(value, list) else [value])]


def _utf8(text: str) -> bytes:
    """UTF-8 of a text; half of a surrogate pair becomes a question mark, as .NET sends its replacement character."""
    return text.encode("utf-8", "replace")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def encoded(content: bytes, encoding: Encoding, queue: str) -> str:
    """The text to send for a message. Raises BadMessage if the queue would not take it."""
    if encoding == "base64":
        text = base64.b64encode(content).decode("ascii")
        length = len(text)
    else:
        text = _plain(content, queue)
        length = len(content)
    if length > MAX_TEXT_BYTES:
        in_base64 = f", {length} as Base64" if encoding == "base64" else ""
        raise BadMessage(
            f"A message of {len(content)} bytes{in_base64} is too long for queue '{queue}': Azure Storage takes {MAX_TEXT_BYTES}. "
            "Put the content into a blob and send the blob's name."
        )
    return text


def _plain(content: bytes, queue: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise BadMessage(
            f"A message for queue '{queue}' is not UTF-8 text, and host.json sets extensions.queues.messageEncoding to none. "
            "Send text, or set messageEncoding to base64."
        ) from None


def decoded(text: str, encoding: Encoding) -> bytes:
    """The content of a message that was received. Raises NotDecodable."""
    if encoding == "none":
        return text.encode()
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise NotDecodable("it is not Base64 text") from None


def as_text(content: bytes) -> str:
    """The content of a message for a function that is handed text. Raises NotDecodable."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise NotDecodable("it is not UTF-8 text") from None
