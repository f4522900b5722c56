"""JSON as people write it in settings files: with comments and trailing commas, and with the line of every value kept.

Strict about everything else; strings, numbers and literals are the standard library's to read. Values are plain Python ones.
Source: what Newtonsoft.Json, the reader of the Functions runtime, takes, less its single quotes, bare names and NaN.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]
"""Where a value is: names and indexes from the top."""

_BLANK = re.compile(r"(?:[ \t\r\n]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_SCALAR_STARTS = frozenset('"-0123456789tfn')
_MAX_DEPTH = 64
_PROBLEMS = {"Expecting value": "expected a value", "Unterminated string starting at": "this string has no end"}


class JsonSyntaxError(ValueError):
    """The text is not JSON. Its message names line and column and shows the line with a caret below."""

    def __init__(self, problem: str, text: str, offset: int) -> None:
        self.problem = problem
        self.line = text.count("\n", 0, offset) + 1
        self.column = offset - (text.rfind("\n", 0, offset) + 1) + 1
        lines = text.split("\n")
        source = lines[self.line - 1].rstrip("\r").replace("\t", " ")
        super().__init__(f"line {self.line}, column {self.column}: {problem}\n    {source}\n    {' ' * (self.column - 1)}^")


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed text: its value, and the line (from 1) on which each of its members and elements begins."""

    value: Any
    lines: dict[Path, int]


def parse(text: str) -> Document:
    """Read a whole text, with or without a byte order mark. Of members with the same name the last counts. Raises JsonSyntaxError."""
    return _Parser(text.removeprefix("\ufeff")).document()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._lines: dict[Path, int] = {}
        self._counted = (0, 1)
        self._scalar = json.JSONDecoder(parse_constant=self._refuse_constant).raw_decode

    def document(self) -> Document:
        self._skip()
        value = self._value(())
        self._skip()
        if self._at < len(self._text):
            raise self._error(f"expected the end, found {self._found()}")
        return Document(value, self._lines)

    def _value(self, path: Path) -> Any:
        self._lines.setdefault(path, self._line())
        start = self._peek()
        if start and start in "{[":
            if len(path) >= _MAX_DEPTH:
                raise self._error(f"nested more than {_MAX_DEPTH} deep")
            return self._object(path) if start == "{" else self._array(path)
        if start not in _SCALAR_STARTS:
            raise self._error(f"expected a value, found {self._found()}")
        try:
            value, self._at = self._scalar(self._text, self._at)
        except json.JSONDecodeError as error:
            problem = _PROBLEMS.get(error.msg) or error.msg[0].lower() + error.msg[1:].removesuffix(" at")
            raise JsonSyntaxError(problem, self._text, error.pos) from None
        except JsonSyntaxError:
            raise
        except ValueError:  # an integer of thousands of digits
            raise self._error("this number is too long") from None
        return value

    def _object(self, path: Path) -> dict[str, Any]:
        members: dict[str, Any] = {}

        def member() -> None:
            if self._peek() != '"':
                raise self._error(f"expected a name in double quotes or '}}', found {self._found()}")
            line = self._line()
            name = self._value(path)
            own = (*path, name)
            self._lines[own] = line
            self._skip()
            if self._peek() != ":":
                raise self._error(f"expected ':' after a name, found {self._found()}")
            self._at += 1
            self._skip()
            members[name] = self._value(own)

        self._items("}", member)
        return members

    def _array(self, path: Path) -> list[Any]:
        elements: list[Any] = []
        self._items("]", lambda: elements.append(self._value((*path, len(elements)))))
        return elements

    def _items(self, end: str, item: Callable[[], None]) -> None:
        """Items separated by commas, with or without one after the last, up to `end`."""
        self._at += 1
        self._skip()
        while self._peek() != end:
            item()
            self._skip()
            if self._peek() == ",":
                self._at += 1
                self._skip()
            elif self._peek() != end:
                raise self._error(f"expected ',' or '{end}', found {self._found()}")
        self._at += 1

    def _skip(self) -> None:
        match = _BLANK.match(self._text, self._at)
        assert match is not None  # it matches nothing as well
        self._at = match.end()
        if self._text.startswith("/*", self._at):
            raise self._error("this comment has no end")

    def _line(self) -> int:
        """The line of the current place; counted on from the place asked for last, so that a long file is not counted over and over."""
        offset, line = self._counted
        line += self._text.count("\n", offset, self._at)
        self._counted = (self._at, line)
        return line

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _found(self) -> str:
        return repr(self._peek()) if self._peek() else "the end of the file"

    def _error(self, problem: str) -> JsonSyntaxError:
        return JsonSyntaxError(problem, self._text, self._at)

    def _refuse_constant(self, name: str) -> None:
        raise self._error(f"{name} is not JSON")
