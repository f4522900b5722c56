"""A web application without a host or a worker, and requests to it without a socket."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from linarite.clock import ManualClock
from linarite.invocation import Datum, HttpRequest, HttpResponse, InvocationResult
from linarite.metadata import Function
from linarite.settings import AppSettings, HostSettings
from linarite.web.app import Web
from linarite.web.auth import Doors
from linarite.web.cors import Cors
from linarite.web.keys import Keys
from linarite.web.requests import Message, Scope
from linarite.web.routes import route_table
from linarite.web.site import Drain, Site

Answer = Callable[[Function, HttpRequest], InvocationResult]


def echo(function: Function, request: HttpRequest) -> InvocationResult:
    """Answers with what was called, as JSON."""
    seen = {"name": function.name, "method": request.method, "url": request.url, "params": request.params, "query": request.query}
    return responds(json.dumps({**seen, "body": request.body.decode()}).encode())


def responds(body: bytes = b"", status: int = 200, **headers: str) -> InvocationResult:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return InvocationResult(return_value=Datum("http", HttpResponse(status=str(status), headers=named, cookies=[], body=body)))


class Calls:
    """An invoker that calls `answer`, and remembers what it was asked."""

    def __init__(self, answer: Answer = echo) -> None:
        self.answer = answer
        self.metadata: list[Mapping[str, Datum]] = []

    async def invoke(
        self,
        function: Function,
        inputs: Mapping[str, Datum],
        trigger_metadata: Mapping[str, Datum] | None = None,
        *,
        reason: str,
        trace_parent: str = "",
        trace_state: str = "",
    ) -> InvocationResult:
        self.metadata.append(trigger_metadata or {})
        return self.answer(function, inputs["req"].value)


@dataclass
class StandingHost:
    """A host that remembers what it was asked to do."""

    id: str = "machine-1"
    folder: Path = Path("/app")
    started_at: datetime = datetime(2026, 1, 1, tzinfo=timezone.utc)
    worker_pids: tuple[int, ...] = (4711,)
    fired: list[tuple[str, str | None]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    now_drained: Drain = field(default_factory=lambda: Drain("Disabled", 0))

    async def restart(self) -> None:
        self.asked.append("restart")

    async def drain(self) -> None:
        self.now_drained = Drain("Completed", 0)

    async def resume(self) -> None:
        self.now_drained = Drain("Disabled", 0)

    def drain_status(self) -> Drain:
        return self.now_drained

    async def set_offline(self, offline: bool) -> None:
        self.asked.append("offline" if offline else "running")

    async def fire(self, function: Function, value: str | None) -> None:
        self.fired.append((function.name, value))


def site(*functions: Function, host: HostSettings | None = None, settings: dict[str, str] | None = None, **parts: Any) -> Site:
    host = host or HostSettings()
    table = route_table(functions, host.http.route_prefix)
    return Site(functions=functions, routes=table, host=host, settings=AppSettings(settings or {}), **parts)


def web(
    shown: Site | None,
    folder: Path,
    *,
    calls: Calls | None = None,
    locked: bool = False,
    cors: Cors | None = None,
    host: StandingHost | None = None,
    **parts: Any,
) -> Web:
    app = Web(host or StandingHost(), calls or Calls(), Doors(Keys(folder), are_locked=locked), ManualClock(), cors=cors, **parts)
    if shown is not None:
        app.show(shown)
    return app


@dataclass
class Answered:
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for known, value in self.headers if known == name), None)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def call(
    app: Web, method: str, target: str, more: Mapping[str, str] | None = None, *, body: bytes = b"", scheme: str = "http", **headers: str
) -> Answered:
    """One request; `_` in header names stands for `-`. `more` are headers too."""
    path, _, query = target.partition("?")
    named = {"host": "localhost:7071", **{name.replace("_", "-"): value for name, value in {**(more or {}), **headers}.items()}}
    if body:
        named["content-length"] = str(len(body))
    scope: Scope = {
        "type": "http",
        "method": method,
        "scheme": scheme,
        "http_version": "1.1",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *parts = sent
    texts = [(name.decode(), value.decode()) for name, value in start["headers"]]
    return Answered(start["status"], texts, b"".join(part["body"] for part in parts))
