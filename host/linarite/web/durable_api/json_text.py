"""JSON texts as the Durable extension rewrites them: parsed, and written again without blanks.

Bodies of events and entity operations are stored rewritten; what was stored is shown rewritten. Numbers with a fraction or an
exponent become .NET doubles (`1e3` is `1000.0`, `1e30` is `1E+30`), whole numbers keep all their digits, escapes are undone where
JSON allows it, and of a repeated member the last value counts. Parsing is strict JSON, where the extension's is lenient.
Source: Newtonsoft.Json, JsonTextWriter and JsonConvert.ToString(double), as recorded.
"""

from __future__ import annotations

import math

import msgspec

from linarite.errors import AppError


class InvalidJson(AppError):
    """A text is not JSON."""


def compact(text: str) -> str:
    """The JSON text, rewritten. Raises InvalidJson."""
    written = msgspec.json.encode(parsed(text)).decode()
    for character, escape in _ESCAPED.items():
        written = written.replace(character, escape)
    return written


def parsed(text: str) -> object:
    """The value of a JSON text, ready to be written into another; doubles are kept as their rewritten text. Raises InvalidJson."""
    try:
        return _decoder.decode(text)
    except msgspec.DecodeError as error:
        raise InvalidJson(f"{error}. Found: {_excerpt(text)}") from None
    except RecursionError:
        raise InvalidJson("The JSON text is nested too deeply") from None


def is_json(text: str) -> bool:
    """Whether the text is strict JSON."""
    try:
        parsed(text)
    except InvalidJson:
        return False
    return True


def shown(stored: str | None) -> object:
    """A stored text as a member of an answer: the JSON value it is, or else the text itself; blank text is the empty string."""
    if stored is None:
        return None
    if not stored.strip():
        return ""
    try:
        return msgspec.Raw(compact(stored).encode())
    except InvalidJson:
        return stored


def double(value: float) -> str:
    """A double the way .NET writes it into JSON: shortest digits that read back, an exponent from 1E+15 upward and below 1E-4."""
    digits = repr(value)
    if "e" in digits:
        return digits.upper()
    if abs(value) < 1e15:
        return digits
    sign = "-" if value < 0 else ""
    mantissa = digits.lstrip("-").removesuffix(".0").replace(".", "").rstrip("0")
    return f"{sign}{mantissa[0]}{'.' if mantissa[1:] else ''}{mantissa[1:]}E+15"


def _fraction(literal: str) -> msgspec.Raw:
    value = float(literal)
    if math.isinf(value):
        raise InvalidJson(f"The number {_excerpt(literal)} is too large; doubles end at about 1.8E+308")
    return msgspec.Raw(double(value).encode())


def _excerpt(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"


_decoder = msgspec.json.Decoder(float_hook=_fraction)
_ESCAPED = {"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"}
