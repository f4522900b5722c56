"""JSON as Newtonsoft.Json reads and writes it, for texts that Azure Functions takes apart and puts together again.

It reads more than JSON (single quotes, bare names, comments, trailing commas), so that `str()` of a simple Python dict passes for JSON, and
it writes numbers in .NET's way. Texts that look like instants are marked, since some bindings treat them as such; their text stays.
Source: Newtonsoft.Json 13, JsonTextReader, JsonTextWriter and JValue, with their defaults; recorded queue outputs.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal

Value = Mapping[str, "Value"] | list["Value"] | str | int | float | bool | None

MAX_DEPTH = 64
"""Deeper texts are refused."""


class Date(str):
    """A text in the form of an ISO 8601 instant, which Newtonsoft reads as a date."""

    __slots__ = ()


class NotJson(ValueError):
    """The text cannot be read as JSON. Its message says where it goes wrong."""


def looks_like_json(text: str) -> bool:
    """Whether the Functions host takes a text for a JSON object or array: by its first and last character only."""
    text = text.strip()
    return text[:1] + text[-1:] in ("{}", "[]")


def parse(text: str) -> Value:
    """The value of a text. Of members with the same name the last counts, at the place of the first. Raises NotJson."""
    try:
        value = _load(text.strip())
        return _checked(value, 0)
    except RecursionError:
        raise NotJson(f"it is nested more than {MAX_DEPTH} deep") from None


def indented(value: Value) -> str:
    """JSON over several lines, two blanks a level."""
    return _written(value, "\n")


def compact(value: Value) -> str:
    """JSON on one line, without blanks."""
    return _written(value, None)


def plain_text(value: Value) -> str:
    """What a value becomes as a text of its own: strings as they are, None as nothing, objects and arrays indented."""
    if isinstance(value, Mapping | list):
        return indented(value)
    return converted(value)


def converted(value: str | int | float | bool | None) -> str:
    """A scalar as .NET converts it to text: `True`, `1` for 1.0, `` for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"
    return double(value) if isinstance(value, float) else str(value)


def double(value: float) -> str:
    """The shortest text of a double that reads back the same, in .NET's form: `1`, `0.1`, `1E+20`."""
    if math.isnan(value) or math.isinf(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)  # only NaN and the infinities have letters there
    power = len(digits) + exponent - 1
    minus = "-" if sign else ""
    if -5 < power < 15:
        return minus + format(Decimal((0, digits, exponent)), "f")
    first, *others = map(str, digits)
    return f"{minus}{first}{'.' if others else ''}{''.join(others)}E{power:+03}"


def _load(text: str) -> Value:
    try:
        return json.loads(text, strict=False)  # type: ignore[no-any-return]
    except ValueError as strictly:
        try:
            return json.loads(_strict(text), strict=False)  # type: ignore[no-any-return]
        except ValueError:
            raise NotJson(str(strictly)[:1].lower() + str(strictly)[1:]) from None


_TOKEN = re.compile(
    r"""
    (?P<double> "(?:[^"\\]|\\.)*" )
  | (?P<single> '(?:[^'\\]|\\.)*' )
  | (?P<comment> /\*.*?\*/ | //[^\n]* )
  | (?P<name> [A-Za-z_$][\w$]* (?=\s*:) )
  | (?P<comma> , (?=(?:\s|/\*.*?\*/|//[^\n]*)*[}\]]) )
  | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)|(\")", re.DOTALL)


def _strict(text: str) -> str:
    """The same text as JSON proper, as far as it can be made into that."""
    return "".join(_strict_token(match.lastgroup or "", match.group()) for match in _TOKEN.finditer(text))


def _strict_token(kind: str, token: str) -> str:
    if kind == "name":
        return f'"{token}"'
    if kind == "single":
        return '"' + _ESCAPE.sub(lambda m: "'" if m[1] == "'" else '\\"' if m[2] else m[0], token[1:-1]) + '"'
    return "" if kind in ("comment", "comma") else token


_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,15})?(Z|[+-]\d\d:?\d\d)?")


def _checked(value: Value, depth: int) -> Value:
    """The value with its instants marked. Raises NotJson if it is too deep."""
    if isinstance(value, Mapping | list):
        if depth >= MAX_DEPTH:
            raise NotJson(f"it is nested more than {MAX_DEPTH} deep")
        if isinstance(value, list):
            return [_checked(item, depth + 1) for item in value]
        return {name: _checked(item, depth + 1) for name, item in value.items()}
    return Date(value) if isinstance(value, str) and _INSTANT.fullmatch(value) else value


_UNSAFE = re.compile('["\\\\\x00-\x1f\x85\u2028\u2029]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def _quoted(text: str) -> str:
    return '"' + _UNSAFE.sub(lambda m: _SHORT.get(m[0]) or f"\\u{ord(m[0]):04x}", text) + '"'


def _scalar(value: str | int | float | bool | None) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        text = double(value)
        return _quoted(text) if text[-1].isalpha() else text if "." in text or "E" in text else text + ".0"
    return str(value) if isinstance(value, int) else _quoted(value)


def _written(value: Value, line: str | None) -> str:
    """JSON of a value; `line` begins a line of its own level, None keeps all on one."""
    if not isinstance(value, Mapping | list):
        return _scalar(value)
    inner = None if line is None else line + "  "
    if isinstance(value, list):
        opening, closing, items = "[", "]", [_written(item, inner) for item in value]
    else:
        colon = ":" if line is None else ": "
        opening, closing, items = "{", "}", [_quoted(name) + colon + _written(item, inner) for name, item in value.items()]
    if not items:
        return opening + closing
    return opening + (inner or "") + f",{inner or ''}".join(items) + (line or "") + closing
