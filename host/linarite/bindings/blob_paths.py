"""Blob paths: `container/name`, and the patterns of blob triggers with their captures. Pure rules.

`{name}` captures as much as it can; the whole path must match. Container names are compared in any case, blob names as they are.
Source: Storage blobs extension, BlobPath and ParameterizedBlobPathSource; azure-webjobs-sdk, BindingTemplateParser; "Naming and
referencing containers, blobs, and metadata", learn.microsoft.com.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from linarite.errors import AppError


class BadBlobPath(AppError):
    """A text is no path of a blob, or no pattern for one."""


class BlobPath(NamedTuple):
    """Where a blob is."""

    container: str
    name: str

    def __str__(self) -> str:
        return f"{self.container}/{self.name}"


def blob_path(text: str) -> BlobPath:
    """The path in a text, which may also be a blob's whole URL. Raises BadBlobPath."""
    container, slash, name = _without_account(text).partition("/")
    if not (container and slash and name):
        raise BadBlobPath(f"Invalid blob path specified : '{text}'. Blob identifiers must be in the format 'container/blob'.")
    if not _CONTAINER.fullmatch(container):
        raise BadBlobPath(f"Invalid container name: {container}. Use 3 to 63 lower-case letters, digits and single hyphens.")
    if len(name) > 1024:
        raise BadBlobPath(f"The blob name '{name[:60]}...' has {len(name)} characters; the service takes up to 1024.")
    return BlobPath(container, name)


_CONTAINER = re.compile(r"\$root|\$logs|\$web|(?=.{3,63}$)[a-z0-9](?:-?[a-z0-9])*")


def _without_account(text: str) -> str:
    """`container/name` of a URL: after the host, and after the account's name where the host is an address (an emulator)."""
    url = urlsplit(text)
    if url.scheme not in ("http", "https"):
        return text
    path = unquote(url.path).lstrip("/")
    by_address = re.fullmatch(r"localhost|[\d.]+|.*:.*", url.hostname or "")
    return path.partition("/")[2] if by_address else path


@dataclass(frozen=True, slots=True)
class BlobPattern:
    """Which blobs of one container a trigger is for; `names` are the captures in the order of their groups."""

    text: str
    container: str
    expression: re.Pattern[str] | None
    names: tuple[str, ...]

    def captures(self, container: str, name: str) -> dict[str, str] | None:
        """What the pattern captures of a blob's path; None if it is not for that blob."""
        if container.lower() != self.container.lower():
            return None
        if self.expression is None:
            return {}
        match = self.expression.fullmatch(name)
        return None if match is None else dict(zip(self.names, match.groups(), strict=True))


def blob_pattern(text: str) -> BlobPattern:
    """The pattern of a trigger's `path`; a container's name alone is for every blob in it. Raises BadBlobPath."""
    container, slash, rest = text.partition("/")
    if not container or (slash and not rest):
        raise BadBlobPath(f"Invalid blob trigger path '{text}'. Expected 'container' or 'container/name', such as 'samples/{{name}}'.")
    if "{" in container:
        raise BadBlobPath(f"Invalid blob trigger path '{text}': a trigger watches one container, so the part before '/' must be a name.")
    if not slash:
        return BlobPattern(text, container, None, ())
    expression, names = _compiled(rest, text)
    return BlobPattern(text, container, expression, names)


_PART = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}]*)\}|(?P<brace>[{}])|(?P<literal>[^{}]+)")
_NAME = re.compile(r"[A-Za-z_][\w-]*")


def _compiled(pattern: str, whole: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    expression, names = "", []
    for part in _PART.finditer(pattern):
        if part["brace"]:
            kind = "closing" if part["brace"] == "{" else "opening"
            at = len(whole) - len(pattern) + part.start()
            raise BadBlobPath(f"Invalid template '{whole}'. Missing {kind} bracket at position {at + 1}.")
        if part["name"] is None:
            expression += re.escape(part["literal"] or part[0][0])
            continue
        if not _NAME.fullmatch(part["name"]):
            raise BadBlobPath(f"Invalid template '{whole}'. The parameter name '{part['name']}' is invalid.")
        names.append(part["name"])
        expression += "(.*)"
    return re.compile(expression, re.DOTALL), tuple(names)
