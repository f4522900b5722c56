"""How route templates are written: `products/{category:alpha}/{id:int?}`, `files/{*rest}`, `{name}.{ext?}`.

Source: ASP.NET Core, RoutePatternParser and RouteParameterParser; functions-host section 3.2.
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


def parse(text: str) -> tuple[Segment, ...]:
    """The segments of a template. Raises ValueError, with the reason, if ASP.NET would not take it."""
    trimmed = text[2:] if text.startswith("~/") else text.removeprefix("/")
    if trimmed.startswith("~"):
        raise ValueError("it may start with '~/' but not with '~'")
    body = trimmed[:-1] if trimmed.endswith("/") else trimmed
    segments = tuple(_segment(part) for part in _split(body)) if body else ()
    _check(segments)
    return segments


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


def _check(segments: Sequence[Segment]) -> None:
    """What is wrong with a template as a whole."""
    names = [part.name.lower() for segment in segments for part in segment if isinstance(part, Parameter)]
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
