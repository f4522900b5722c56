"""Route templates, read and matched as ASP.NET does it: `products/{category:alpha}/{id:int?}`, `files/{*rest}`, `{name}.{ext?}`.

Pure text rules; which function a template belongs to is routes.py's. Literals match in any case, constraints do not convert.
Source: ASP.NET Core, RoutePatternParser, RouteParameterParser and RoutePatternMatcher; functions-host section 3.2.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from linarite.web.constraints import Constraint, constraint

_NAME = re.compile(r"[:=]?[^:={}/?*]+(?=[:=]|$)")
_CONSTRAINT = re.compile(r":(?P<name>[^:=(]*)(?:\((?P<argument>.*?)\)(?=[:=]|$))?", re.DOTALL)
_BRACES = re.compile(r"\{\{|\}\}|[{}]")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One `{…}`. A missing value becomes `default`, if there is one."""

    name: str
    is_optional: bool = False
    is_catch_all: bool = False
    default: str | None = None
    constraints: tuple[Constraint, ...] = field(default=(), compare=False)

    @property
    def may_be_missing(self) -> bool:
        return self.is_optional or self.is_catch_all or self.default is not None

    def accepts(self, value: str | None) -> bool:
        """Whether its constraints hold; of a missing value only an optional parameter's do."""
        if value is None:
            return self.is_optional or not self.constraints
        return all(holds(value) for holds in self.constraints)


Part = str | Parameter
Segment = tuple[Part, ...]
"""What stands between two slashes: one part, or literals and parameters in turn."""


@dataclass(frozen=True, slots=True)
class RequestPath:
    """A request's path, decoded, split for matching. `text` is without its first slash."""

    text: str
    segments: Sequence[str]
    lowered: Sequence[str]
    """The segments in lower case, for literals."""


def request_path(path: str) -> RequestPath:
    """Split a path; one slash at the end does not count."""
    text = path[1:] if path.startswith("/") else path
    inner = text[:-1] if text.endswith("/") else text
    if not inner:
        return RequestPath(text, [""] if text else [], [""] if text else [])
    return RequestPath(text, inner.split("/"), inner.lower().split("/"))


class Template:
    """A parsed template. Raises ValueError, with the reason, if ASP.NET would not take it."""

    def __init__(self, text: str) -> None:
        self.text = text
        trimmed = text[2:] if text.startswith("~/") else text.removeprefix("/")
        if trimmed.startswith("~"):
            raise ValueError("it may start with '~/' but not with '~'")
        body = trimmed[:-1] if trimmed.endswith("/") else trimmed
        self.segments = tuple(_segment(part) for part in _split(body)) if body else ()
        self.parameters = tuple(part for segment in self.segments for part in segment if isinstance(part, Parameter))
        _check(self.segments, self.parameters)
        self.literals = tuple(_literal_text(segment) for segment in self.segments)
        """Each segment's text in lower case where it is just that, else None."""
        self._catch_all = len(self.segments) - 1 if self.parameters and self.parameters[-1].is_catch_all else None
        self._least = max((i + 1 for i, segment in enumerate(self.segments) if not _may_be_missing(segment)), default=0)

    def match(self, path: RequestPath) -> dict[str, str] | None:
        """The parameters' values if the path matches, else None. What is missing and has no default is left out."""
        given = len(path.segments)
        if given < self._least or (given > len(self.segments) and self._catch_all is None):
            return None
        for literal, segment in zip(self.literals, path.lowered, strict=False):
            if literal is not None and literal != segment:
                return None
        if "" in path.segments[: None if self._catch_all is None else self._catch_all + 1]:
            return None
        return self._values(path) if self.parameters else {}

    def _values(self, path: RequestPath) -> dict[str, str] | None:
        values: dict[str, str] = {}
        for index, segment in enumerate(path.segments[: len(self.segments)]):
            parts = self.segments[index]
            first = parts[0]
            if len(parts) > 1:
                if not _match_mixed(parts, segment, values):
                    return None
            elif isinstance(first, Parameter):
                values[first.name] = path.text.split("/", index)[index] if first.is_catch_all else segment
        for parameter in self.parameters:
            value = values.get(parameter.name, parameter.default)
            if not parameter.accepts(value):
                return None
            if value is not None:
                values[parameter.name] = value
        return values


def _literal_text(segment: Segment) -> str | None:
    return segment[0].lower() if len(segment) == 1 and isinstance(segment[0], str) else None


def _may_be_missing(segment: Segment) -> bool:
    return len(segment) == 1 and isinstance(segment[0], Parameter) and segment[0].may_be_missing


def _split(body: str) -> list[str]:
    """Segments; a slash within braces (in a regex) separates nothing."""
    segments = [""]
    depth = 0
    for position, character in enumerate(body):
        if character == "/" and depth == 0:
            segments.append("")
            continue
        if character in "{}" and not _is_escaped(body, position):
            depth += 1 if character == "{" else -1
        segments[-1] += character
    if "" in segments:
        raise ValueError("the separator '/' cannot appear consecutively")
    return segments


def _is_escaped(text: str, position: int) -> bool:
    """Whether the brace at `position` is one of a doubled pair."""
    character = text[position]
    start = position
    while start > 0 and text[start - 1] == character:
        start -= 1
    end = position
    while end + 1 < len(text) and text[end + 1] == character:
        end += 1
    run = end - start + 1
    if run % 2 == 0:
        return True
    # Of an odd run one brace is real: the last of `{{{`, the first of `}}}`.
    return position != (end if character == "{" else start)


def _segment(text: str) -> Segment:
    parts: list[Part] = []
    position = 0
    while position < len(text):
        if text[position] == "{" and not _is_escaped(text, position):
            end = _closing(text, position)
            parts.append(_parameter(_unescaped(text[position + 1 : end])))
            position = end + 1
            continue
        start = position
        while position < len(text) and (text[position] != "{" or _is_escaped(text, position)):
            position += 1
        parts.append(_literal(text[start:position]))
    return tuple(parts)


def _closing(text: str, start: int) -> int:
    for position in range(start + 1, len(text)):
        if text[position] == "}" and not _is_escaped(text, position):
            return position
    raise ValueError(f"'{text[start:]}' has no closing brace")


def _unescaped(text: str) -> str:
    return text.replace("{{", "{").replace("}}", "}")


def _literal(text: str) -> str:
    if any(not _is_escaped(text, match.start()) for match in _BRACES.finditer(text)):
        raise ValueError(f"'{text}' has a brace that is neither opened nor doubled")
    if "?" in text:
        raise ValueError(f"the literal section '{text}' cannot contain '?'")
    return _unescaped(text)


def _parameter(text: str) -> Parameter:
    """What stands within braces: `*rest`, `id:int:min(1)`, `page=1`, `ext?`."""
    body = text.removesuffix("?")
    is_optional = body != text
    bare = body.removeprefix("*").removeprefix("*")
    is_catch_all = bare != body
    name = _NAME.match(bare)
    if name is None:
        raise ValueError(f"'{{{text}}}' is not a parameter such as {{id}}, {{id:int?}}, {{page=1}} or {{*rest}}")
    checks: list[Constraint] = []
    position = name.end()
    while (match := _CONSTRAINT.match(bare, position)) is not None:
        position = match.end()
        if match["name"]:
            checks.append(constraint(match["name"], match["argument"]))
    default = bare[position + 1 :] if bare[position : position + 1] == "=" else None
    if default is not None and is_optional:
        raise ValueError(f"the optional parameter '{name[0]}' cannot have a default")
    if is_catch_all and is_optional:
        raise ValueError(f"the catch-all parameter '{name[0]}' cannot be marked optional")
    return Parameter(name[0], is_optional, is_catch_all, default, tuple(checks))


def _check(segments: Sequence[Segment], parameters: Sequence[Parameter]) -> None:
    """What is wrong with a template as a whole."""
    names = [parameter.name.lower() for parameter in parameters]
    if (twice := next((name for name in names if names.count(name) > 1), None)) is not None:
        raise ValueError(f"the parameter '{twice}' appears more than once")
    for position, segment in enumerate(segments):
        if any(isinstance(part, Parameter) and part.is_catch_all for part in segment):
            if len(segment) > 1:
                raise ValueError("a segment with more than one section cannot contain a catch-all parameter")
            if position != len(segments) - 1:
                raise ValueError("a catch-all parameter can only be the last segment")
        _check_mixed(segment)


def _check_mixed(segment: Segment) -> None:
    for before, part in pairwise(segment):
        if isinstance(before, Parameter) and isinstance(part, Parameter):
            raise ValueError(f"the parameters '{before.name}' and '{part.name}' need a '/' or a literal between them")
    for part in segment[:-1]:
        if isinstance(part, Parameter) and part.is_optional:
            raise ValueError(f"the optional parameter '{part.name}' must end its segment")
    last = segment[-1]
    if len(segment) > 1 and isinstance(last, Parameter) and last.is_optional and segment[-2] != ".":
        raise ValueError(f"only a '.' may come before the optional parameter '{last.name}'")


def _match_mixed(parts: Segment, text: str, values: dict[str, str]) -> bool:
    """Match a segment of several parts; an optional one at the end may be missing together with the dot before it."""
    if _match_from_right(parts, text, values):
        return True
    last, separator = parts[-1], parts[-2]
    if isinstance(last, str) or not last.is_optional or (isinstance(separator, str) and text.endswith(separator)):
        return False
    return _match_from_right(parts[:-2], text, values)


def _match_from_right(parts: Segment, text: str, values: dict[str, str]) -> bool:
    """Each literal where it occurs last, its parameter what is left up to there; parameters take at least one character."""
    lowered = folded if len(folded := text.lower()) == len(text) else text  # a few letters become two
    end = len(text)
    found: dict[str, str] = {}
    pending: Parameter | None = None
    for index in range(len(parts) - 1, -1, -1):
        part = parts[index]
        if isinstance(part, Parameter):
            pending = part
            continue
        start = lowered.rfind(part.lower(), 0, end - 1 if pending is not None else end)
        if start < 0 or (index == len(parts) - 1 and start + len(part) != len(text)):
            return False
        if pending is not None:
            found[pending.name] = text[start + len(part) : end]
            pending = None
        end = start
    if pending is not None:
        found[pending.name] = text[:end]
        end = 0 if text[:end] else -1
    values.update(found)
    return end == 0 and all(found.values())
