"""Frames between host and worker: two lengths, a JSON header, a body of raw bytes.

    4 bytes   length of the header, big endian
    4 bytes   length of the body
    ...       header: one JSON object in UTF-8; its `op` says what it is
    ...       body: the long values the header announces, one after the other

A value (a `Datum`) is `[kind, value]` in the header, or `[kind, rest, size]` if `size` bytes of the body belong to it. The host's half
of this module is `linarite.workers.wire`.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator
from typing import IO, Any

Header = dict[str, Any]

LENGTHS = struct.Struct("!II")
INLINE = 512
"""Texts up to so many characters travel in the header."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False, allow_nan=False).encode


def frame(header: Header, body: bytes = b"") -> bytes:
    """One frame. Raises UnicodeEncodeError for text that is not Unicode (lone surrogates), TypeError or
    ValueError for what JSON does not know."""
    text = _encode(header).encode()
    return LENGTHS.pack(len(text), len(body)) + text + body


def read(stream: IO[bytes]) -> Iterator[tuple[Header, bytes]]:
    """Frames from a blocking stream until it ends, also in the middle of one."""
    while len(lengths := stream.read(LENGTHS.size)) == LENGTHS.size:
        header_size, body_size = LENGTHS.unpack(lengths)
        header = stream.read(header_size)
        body = stream.read(body_size) if body_size else b""
        if len(header) + len(body) < header_size + body_size:
            return
        yield json.loads(header), body


def parse(data: bytes) -> Iterator[tuple[Header, bytes]]:
    """Frames from memory."""
    return read(io.BytesIO(data))
