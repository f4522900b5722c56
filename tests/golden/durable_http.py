"""Playing recorded HTTP exchanges against our doors, and comparing answers.

What differs between any two runs is made equal on both sides: instants, made-up ids, and the order in which known functions are
listed. Of errors, the stack trace and the JSON parser's own words are left out: they are .NET's and Newtonsoft's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tests.golden.durable_http_differences import expected
from tests.web.durable_api.asgi import Answer

TOKEN = "x-ms-continuation-token"
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

    def __str__(self) -> str:
        return f"{self.scenario}:{self.index}"

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

    async def pass_time(self, seconds: float) -> None:
        """Let time go by, and what is due then happen."""
        ...

    async def clear(self, prefix: str) -> None:
        """Delete all instances whose ids begin like this."""
        ...


def recorded(name: str) -> list[dict[str, Any]]:
    """The lines of a recording."""
    return [json.loads(line) for line in (DATA / name).read_text("utf-8").splitlines()]


def exchanges(scenario: str) -> list[Exchange]:
    return [Exchange(scenario, index, **line) for index, line in enumerate(recorded(f"exchanges/{scenario}.jsonl"))]


@dataclass(frozen=True)
class Post:
    """A request below the public door that the recording left out; it is accepted."""

    path: str
    body: str = ""


@dataclass(frozen=True)
class Wait:
    """Time going by."""

    seconds: float


@dataclass(frozen=True)
class Clear:
    """All instances deleted whose ids begin like this, whatever they are doing."""

    prefix: str


Step = Post | Wait | Clear


class Player:
    """Plays scenarios one after another; ids and tokens that a recording made up become ours in later requests."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ids: dict[str, str] = {}
        self._tokens: dict[str, str] = {}

    async def play(self, scenario: str, unrecorded: Mapping[int, Sequence[Step]]) -> list[tuple[Exchange, Answer]]:
        """Every exchange with our answer. `unrecorded`: requests to make before the exchange of that index, or at the end."""
        played = []
        for exchange in exchanges(scenario):
            await self._prepare(unrecorded.get(exchange.index, ()))
            headers = {name: self._tokens.get(value, value) for name, value in exchange.headers.items()}
            answer = await self._world.ask(exchange.via, exchange.method, self._our_url(exchange.url), exchange.content, headers)
            self._learn(exchange, answer)
            await self._world.settle()
            played.append((exchange, answer))
        await self._prepare(unrecorded.get(len(played), ()))
        return played

    async def _prepare(self, steps: Sequence[Step]) -> None:
        for step in steps:
            match step:
                case Wait(seconds):
                    await self._world.pass_time(seconds)
                case Clear(prefix):
                    await self._world.clear(prefix)
                case Post(path, body):
                    answer = await self._world.ask("public", "POST", f"/runtime/webhooks/durabletask/{path}", body.encode())
                    assert answer.status == 202, (step, answer)
                    await self._world.settle()

    def _our_url(self, url: str) -> str:
        return _MADE_UP.sub(lambda made_up: self._ids.get(made_up.group(), made_up.group()), url)

    def _learn(self, exchange: Exchange, answer: Answer) -> None:
        theirs, ours = _MADE_UP.findall(exchange.answer), _MADE_UP.findall(answer.body.decode())
        if len(theirs) == len(ours):
            self._ids |= dict(zip(theirs, ours, strict=True))
        if token := exchange.answer_headers.get(TOKEN):
            self._tokens[token] = answer.headers.get(TOKEN, "")


def unlike(exchange: Exchange, answer: Answer) -> str:
    """What our answer has otherwise than the recording, in a line; empty if nothing."""
    if answer.status != exchange.status:
        return f"{answer.status} instead of {exchange.status}: {answer.body.decode()[:300]}"
    for name in ("Content-Type", "Location", "Retry-After", TOKEN):
        theirs, ours = exchange.answer_headers.get(name), answer.headers.get(name.lower())
        if name == TOKEN:  # opaque; empty means that there is no more
            theirs, ours = theirs and "more", ours and "more"
        theirs = theirs and expected(theirs)
        if _alike(theirs) != _alike(ours):
            return f"{name}: {ours} instead of {theirs}"
    theirs, ours = _alike(_told(expected(exchange.answer))), _alike(_told(answer.body.decode()))
    return "" if theirs == ours else f"{ours}\n instead of\n{theirs}"


def _told(body: str) -> str:
    """The body without what an error says in .NET's or Newtonsoft's own words."""
    body = _PARSERS_WORDS.sub("", body)
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


_PARSERS_WORDS = re.compile(r"(?<=Could not parse JSON content: )[^\"]*")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
_MADE_UP = re.compile(r"\b[0-9a-f]{32}\b")
_GUID = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_KNOWN = re.compile(r"(?<=known orchestrator functions: )'[^.]*\.|(?<=known entity functions: )'[^.]*\.")
