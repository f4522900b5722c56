"""A request's path as the server of the Functions host hands it on: decoded for routing, encoded again for the URL.

Source: ASP.NET Core Kestrel, UrlDecoder and PathNormalizer, and PathString.ToUriComponent; functions-host sections 2.4 and 3.2.
"""

from __future__ import annotations

import re
from urllib.parse import quote

_ESCAPES = re.compile("(?:%[0-9A-Fa-f]{2})+")
_SAFE = "!$&'()*+,-./:;=@_~"
_UNSAFE = re.compile(rf"%[0-9A-Fa-f]{{2}}|[^0-9A-Za-z{re.escape(_SAFE)}]")
_PLAIN = re.compile(rb"(?:/(?!\.\.?(?:/|$))[0-9A-Za-z!$&'()*+,\-.:;=@_~]*)+")


class InvalidPath(ValueError):
    """A path that the server refuses with 400."""


def canonical(raw: bytes) -> tuple[str, str]:
    """The path to route by, and the path to show in `req.url`. Raises InvalidPath.

    Dot segments are gone from both. In the first, percent escapes are undone, except `%2F` and what is not UTF-8.
    """
    if _PLAIN.fullmatch(raw):  # nothing to decode, nothing to encode
        text = raw.decode("ascii")
        return text, text
    if not raw.isascii() or not raw.startswith(b"/"):
        raise InvalidPath(f"{raw!r} is not a path")
    path = without_dot_segments(unescape(raw.decode("ascii"), keep_slash=True))
    return path, encoded(path)


def unescape(text: str, *, keep_slash: bool = False) -> str:
    """Undo percent escapes of UTF-8; others stay as they are. Raises InvalidPath for `%00` in a path."""
    return _ESCAPES.sub(lambda match: _decoded(match[0], keep_slash), text) if "%" in text else text


def _decoded(run: str, keep_slash: bool) -> str:
    """One run of escapes, decoded as far as it is UTF-8."""
    decoded: list[str] = []
    position = 0
    for character in bytes.fromhex(run.replace("%", "")).decode("utf-8", "surrogateescape"):
        if character == "\0" and keep_slash:
            raise InvalidPath("a path cannot contain %00")
        is_broken = "\udc80" <= character <= "\udcff"
        end = position + 3 * (1 if is_broken else len(character.encode()))
        decoded.append(run[position:end] if is_broken or (keep_slash and character == "/") else character)
        position = end
    return "".join(decoded)


def without_dot_segments(path: str) -> str:
    """Resolve `.` and `..`; above the root there is nothing."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for position, segment in enumerate(segments):
        if segment not in (".", ".."):
            kept.append(segment)
            continue
        if segment == ".." and kept:
            kept.pop()
        if position == len(segments) - 1:
            kept.append("")
    return "/" + "/".join(kept)


def encoded(path: str) -> str:
    """Escape what a URL's path cannot hold. What looks like an escape already is left alone."""
    return _UNSAFE.sub(lambda match: match[0] if len(match[0]) == 3 and match[0][0] == "%" else quote(match[0], safe=""), path)
