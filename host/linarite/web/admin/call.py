"""One request to the admin API, and the table its handlers enter themselves into."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from linarite.web.reply import Reply, empty
from linarite.web.templates import Template

if TYPE_CHECKING:
    from linarite.web.app import Web


@dataclass(frozen=True, slots=True)
class Call:
    """What a handler needs: `values` are the path's parameters."""

    web: Web
    method: str
    scheme: str
    path: str
    values: Mapping[str, str]
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes

    @property
    def base_url(self) -> str:
        return f"{self.scheme}://{self.headers.get('host', '')}"

    @property
    def url(self) -> str:
        """The request's own URL, without its query."""
        return self.base_url + self.path

    def json(self) -> Any:
        """The body's value. Raises Refused if it is not JSON, or not said to be."""
        if "json" not in self.headers.get("content-type", "").lower():
            raise Refused(empty(415))
        try:
            return json.loads(self.body)
        except ValueError:
            raise Refused(empty(400)) from None


class Refused(Exception):
    """A handler cannot go on; the answer says why."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply


Handler = Callable[[Call], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class AdminRoute:
    """Which requests a handler answers."""

    method: str
    template: Template
    handler: Handler
    is_open: bool
    """Whether it needs no key."""


def route(methods: str, path: str, handler: Handler, *, is_open: bool = False) -> list[AdminRoute]:
    """Entries for one handler; `methods` are separated by `|`."""
    return [AdminRoute(method, Template(path), handler, is_open) for method in methods.split("|")]
