"""Playing recorded HTTP exchanges against our doors, and comparing answers.

What differs between any two runs is made equal on both sides: instants, made-up ids, and the order in which known functions are
listed. Of errors, the stack trace and the JSON parser's own words are left out: they are .NET's and Newtonsoft's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tests.web.durable_api.asgi import Answer

DATA = Path(__file__).parent / "data" / "durable_api"


@dataclass(frozen=True)
class Exchange:
    """One recorded request and its answer. `answer` is text; `index` counts within the scenario."""

    scenario: str
    index: int
    via: str
    method: str
    url: str
    status: int
    answer: str
    answer_headers: dict[str, str]
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    body_hex: str = ""
    note: str = ""

    @property
    def content(self) -> bytes:
        return bytes.fromhex(self.body_hex) or self.body.encode()


class World(Protocol):
    """Both doors, and everything behind them that makes instances move."""

    async def ask(self, via: str, method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        """Ask one of the doors."""
        ...

    async def settle(self) -> None:
        """Return once nothing is left to be done."""
        ...


def recorded(name: str) -> list[dict[str, Any]]:
    """The lines of a recording."""
    return [json.loads(line) for line in (DATA / name).read_text("utf-8").splitlines()]


def exchanges(scenario: str) -> list[Exchange]:
    return [Exchange(scenario, index, **line) for index, line in enumerate(recorded(f"exchanges/{scenario}.jsonl"))]


Step = tuple[str, str]
"""Method and the path below the public door."""


class Player:
    """Plays scenarios one after another; ids that were made up in a recording become ours in later requests."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ids: dict[str, str] = {}

    async def play(self, scenario: str, unrecorded: dict[int, Sequence[Step]]) -> list[tuple[Exchange, Answer]]:
        """Every exchange with our answer. `unrecorded`: requests to make before the exchange of that index, or at the end."""
        played = []
        for exchange in exchanges(scenario):
            await self._prepare(unrecorded.get(exchange.index, ()))
            answer = await self._world.ask(exchange.via, exchange.method, self._ours(exchange.url), exchange.content, exchange.headers)
            self._learn(exchange, answer)
            await self._world.settle()
            played.append((exchange, answer))
        await self._prepare(unrecorded.get(len(played), ()))
        return played

    async def _prepare(self, steps: Sequence[Step]) -> None:
        for method, path in steps:
            answer = await self._world.ask("public", method, f"/runtime/webhooks/durabletask/{path}")
            assert answer.status < 300, (path, answer)
            await self._world.settle()

    def _ours(self, url: str) -> str:
        return _MADE_UP.sub(lambda made_up: self._ids.get(made_up.group(), made_up.group()), url)

    def _learn(self, exchange: Exchange, answer: Answer) -> None:
        theirs, ours = _MADE_UP.findall(exchange.answer), _MADE_UP.findall(answer.body.decode())
        if len(theirs) == len(ours):
            self._ids |= dict(zip(theirs, ours, strict=True))


def unlike(exchange: Exchange, answer: Answer) -> str:
    """What our answer has otherwise than the recording, in a line; empty if nothing."""
    if answer.status != exchange.status:
        return f"{answer.status} instead of {exchange.status}: {answer.body.decode()[:300]}"
    for name in ("Content-Type", "Location", "Retry-After", "x-ms-continuation-token"):
        theirs, ours = exchange.answer_headers.get(name), answer.headers.get(name.lower())
        if name == "x-ms-continuation-token":  # opaque; empty means that there is no more
            theirs, ours = theirs and "more", ours and "more"
        if _alike(theirs) != _alike(ours):
            return f"{name}: {ours} instead of {theirs}"
    theirs, ours = _alike(_told(exchange.answer)), _alike(_told(answer.body.decode()))
    return "" if theirs == ours else f"{ours}\n instead of\n{theirs}"


def _told(body: str) -> str:
    """The body without what an error says in .NET's or Newtonsoft's own words."""
    if '"StackTrace":' not in body:
        return body
    error = json.loads(body)
    error["StackTrace"] = ""
    if error["ExceptionType"] == "Newtonsoft.Json.JsonReaderException":
        error["ExceptionMessage"] = ""
    return json.dumps(error, ensure_ascii=False, separators=(",", ":"))


def _alike(text: str | None) -> str | None:
    if text is None:
        return None
    for pattern, replacement in ((_INSTANT, "<instant>"), (_MADE_UP, "<id>"), (_GUID, "<guid>"), (_KNOWN, "<names>.")):
        text = pattern.sub(replacement, text)
    return text


_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
_MADE_UP = re.compile(r"\b[0-9a-f]{32}\b")
_GUID = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_KNOWN = re.compile(r"(?<=known orchestrator functions: )'[^.]*\.|(?<=known entity functions: )'[^.]*\.")
