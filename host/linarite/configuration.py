"""A tree of settings as the Functions runtime sees them: every leaf is text, names count in any case, and any leaf can be overridden.

`Reader` turns leaves into typed values and says by path, value and place what does not fit.
Source: Microsoft.Extensions.Configuration; azure-functions-host, HostJsonFileConfigurationSource.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from linarite.errors import AppError
from linarite.jsonc import Document, JsonSyntaxError, parse
from linarite.timespans import timespan, timespan_text

T = TypeVar("T")


class WrongSetting(AppError):
    """A setting holds a value of the wrong kind, or out of range."""


@dataclass(slots=True)
class Node:
    """One name of the tree: a leaf if `value` is set. `origin` is the file and line, or the variable, that set it."""

    path: str
    value: str | None = None
    origin: str = ""
    children: dict[str, Node] = field(default_factory=dict)

    def child(self, name: str) -> Node | None:
        return self.children.get(name.lower())

    def at(self, names: Sequence[str]) -> Node:
        """The node below, made if it is not there."""
        node = self
        for name in names:
            path = f"{node.path}.{name}" if node.path else name
            node = node.children.setdefault(name.lower(), Node(path))
        return node

    def elements(self) -> list[Node]:
        """Children in the order of an array: by number, then by name."""
        return [self.children[key] for key in sorted(self.children, key=lambda key: (not key.isdigit(), int(key) if key.isdigit() else 0))]


def read_object(path: Path, refuse: Callable[[str], AppError], *, has_secrets: bool) -> Document | None:
    """The JSON object in a file, None if there is no file. `refuse` makes the error for what is wrong with it.

    Of a file that has secrets no line is quoted: errors are logged.
    """
    try:
        document = parse(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise refuse(f"{path.name} cannot be read: {error}") from None
    except JsonSyntaxError as error:
        place = f"line {error.line}, column {error.column}: {error.problem}" if has_secrets else str(error)
        raise refuse(f"{path.name}, {place}") from None
    if not isinstance(document.value, dict):
        raise refuse(f"{path.name}:1: expected an object in braces.")
    return document


def tree(document: Document, file_name: str) -> Node:
    """The tree of a parsed file. Nulls are left out."""
    root = Node("")

    def add(value: Any, names: tuple[str, ...], line: int, path: tuple[str | int, ...]) -> None:
        items: Iterable[tuple[str | int, Any]] | None = None
        if isinstance(value, dict):
            items = value.items()
        elif isinstance(value, list):
            items = enumerate(value)
        if items is not None:
            root.at(names).origin = f"{file_name}:{line}"
            for name, item in items:
                add(item, (*names, str(name)), document.lines.get((*path, name), line), (*path, name))
        elif value is not None:
            node = root.at(names)
            node.value, node.origin = plain_text(value), f"{file_name}:{line}"

    add(document.value, (), 1, ())
    return root


def override(root: Node, values: Mapping[str, tuple[str, str]]) -> None:
    """Put values over the tree's: by name with colons between the parts, each a value and its origin."""
    for name, (value, origin) in values.items():
        node = root.at(name.split(":"))
        node.value, node.origin = value, origin


def plain_text(value: Any) -> str:
    """A JSON scalar as .NET writes it: `True`, `5`, `1.5`, `1000` for 1e3."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    return str(value)


class Row(NamedTuple):
    """One setting as it is in force, and where it comes from."""

    name: str
    value: str
    origin: str


Convert = Callable[[Node], Any]


class Reader:
    """Builds settings objects from a tree, and keeps a row for each setting it was asked for."""

    def __init__(self, root: Node) -> None:
        self._root = root
        self._read: list[Node] = []
        self.rows: list[Row] = []

    def build(self, kind: type[T], section: str, table: Mapping[str, tuple[str, Convert]], **parts: Any) -> T:
        """A `kind` from the settings below `section`: for each field the setting's name (dotted, `|` before another) and how to read it.

        A field whose setting is absent keeps its default. `parts` are fields built already.
        """
        found = {name: self._find(section, setting) for name, (setting, _) in table.items()}
        values = {name: table[name][1](node) for name, node in found.items() if node is not None}
        built = kind(**values, **parts)
        self._read += [node for node in found.values() if node is not None]
        for name, (setting, _) in table.items():
            node = found[name]
            path = node.path if node else ".".join(filter(None, (section, setting.partition("|")[0])))
            value = _default_text(path, getattr(built, name)) if node is None else _text(node)
            self.rows.append(Row(path, value, node.origin if node else "default"))
        return built

    def check(self, section: str, table: Mapping[str, Convert]) -> None:
        """Look at settings that have no effect only to complain about them."""
        for setting, convert in table.items():
            if node := self._find(section, setting):
                convert(node)

    def unread(self) -> list[str]:
        """Paths of the leaves that nothing was built of."""
        paths: list[str] = []

        def walk(node: Node) -> None:
            if any(node is known for known in self._read):
                return
            if node.value is not None:
                paths.append(node.path)
            for child in node.children.values():
                walk(child)

        walk(self._root)
        return paths

    def _find(self, section: str, settings: str) -> Node | None:
        """The first of these settings that is there."""
        for setting in settings.split("|"):
            node: Node | None = self._root
            for name in ".".join(filter(None, (section, setting))).split("."):
                node = node.child(name) if node else None
            if node and (node.value is not None or node.children):
                return node
        return None


def _text(node: Node) -> str:
    return node.value if node.value is not None else ", ".join(child.value or "" for child in node.elements())


def _default_text(path: str, default: Any) -> str:
    """A default as host.json would spell it; within, times are seconds."""
    if isinstance(default, float):
        return f"{default / 60:g}" if path.endswith("InMinutes") else timespan_text(timedelta(seconds=default))
    if isinstance(default, (tuple, dict)):
        return ", ".join(map(str, default))
    return "" if default is None else plain_text(default)


def wrong(node: Node, expected: str) -> WrongSetting:
    """The complaint about one setting."""
    found = repr(node.value) if node.value is not None else "an object or a list"
    return WrongSetting(f"{node.origin}: {node.path} is {found}; expected {expected}.")


def leaf(node: Node, expected: str) -> str:
    """The node's text; complains if it is no leaf."""
    if node.value is None:
        raise wrong(node, expected)
    return node.value


def text(node: Node) -> str:
    return leaf(node, "a text")


def flag(node: Node) -> bool:
    value = leaf(node, "true or false").strip().lower()
    if value not in ("true", "false"):
        raise wrong(node, "true or false")
    return value == "true"


def integer(least: int | None = None, most: int | None = None, sentence: str = "") -> Convert:
    """Reads a whole number within bounds; `sentence` is the runtime's own complaint about one that is not."""
    bounds = {(True, True): "", (False, True): f" from {least}", (True, False): f" up to {most}"}
    expected = "a whole number" + bounds.get((least is None, most is None), f" from {least} to {most}")

    def read(node: Node) -> int:
        value = leaf(node, expected).strip()
        digits = value[1:] if value[:1] in ("-", "+") else value
        if not (digits.isascii() and digits.isdigit() and len(digits) < 11):
            raise wrong(node, expected)
        number = int(value)
        if (least is not None and number < least) or (most is not None and number > most):
            raise WrongSetting(f"{node.origin}: {sentence} Found {value}.") if sentence else wrong(node, expected)
        return number

    return read


def span_s(least_s: float = 0.0, most_s: float | None = None, sentence: str = "") -> Convert:
    """Reads a timespan within bounds, as seconds."""
    expected = "a timespan such as 00:05:00"

    def read(node: Node) -> float:
        value = leaf(node, expected)
        try:
            seconds = timespan(value).total_seconds()
        except ValueError:
            raise wrong(node, expected) from None
        if seconds < least_s or (most_s is not None and seconds > most_s):
            raise WrongSetting(f"{node.origin}: {sentence} Found {value}.") if sentence else wrong(node, expected)
        return seconds

    return read


def choice(*names: str) -> Convert:
    """Reads one of some names, in any case."""
    known = {name.lower(): name for name in names}
    expected = "one of " + ", ".join(names)

    def read(node: Node) -> str:
        value = leaf(node, expected).strip().lower()
        if value not in known:
            raise wrong(node, expected)
        return known[value]

    return read


def texts(node: Node) -> tuple[str, ...]:
    """Reads a list of texts."""
    if node.value is not None:
        raise wrong(node, 'a list such as ["one", "two"]')
    return tuple(text(element) for element in node.elements())


def mapping(convert: Convert = text) -> Convert:
    """Reads an object whose names are free, such as headers."""

    def read(node: Node) -> dict[str, Any]:
        if node.value is not None:
            raise wrong(node, "an object")
        return {child.path[len(node.path) + 1 :]: convert(child) for child in node.children.values()}

    return read
