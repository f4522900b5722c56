"""Route templates and the paths they match, as ASP.NET has it. Literals match in any case, constraints do not convert.

Pure text rules; how a template is written is template_syntax.py's, which function it belongs to is routes.py's.
Source: ASP.NET Core, RoutePatternMatcher; functions-host section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from linarite.web.template_syntax import Parameter, Segment, parse


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
    """A template, ready to match. Raises ValueError, with the reason, if ASP.NET would not take it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.segments = parse(text)
        self.parameters = tuple(part for segment in self.segments for part in segment if isinstance(part, Parameter))
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
