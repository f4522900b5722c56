"""JSON texts: what is stored is compact, whatever blanks and escapes the app's own encoder wrote.

The real host parses what a worker returns and writes it again without blanks and with plain non-ASCII letters; so do we. A text that
only Python calls JSON (NaN) stays as it is.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

_ESCAPED = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}
"""Letters that the real host's encoder escapes although JSON does not ask for it."""


def compact(text: str | bytes | msgspec.Raw) -> str:
    """The same JSON value without blanks and superfluous escapes; text that is not strict JSON is returned unchanged."""
    try:
        return msgspec.json.encode(msgspec.json.decode(text)).decode().translate(_ESCAPED)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return text if isinstance(text, str) else bytes(text).decode("utf-8", "replace")


def quoted(text: str) -> str:
    """JSON text of a string."""
    return msgspec.json.encode(text).decode()


def parses(text: str) -> bool:
    """Whether the SDK's decoder takes it for JSON."""
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return False
    return True


def loads_once(text: str) -> Any:
    """The value of a JSON text without duplicate members. Raises ValueError."""
    return json.loads(text, object_pairs_hook=_without_duplicates)


def _without_duplicates(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        raise ValueError("a member is given twice")
    return found
