"""Recorded HTTP exchanges: how they are sent again, byte for byte, and how two answers are compared.

Compared are status, headers and body. Left out: date and server, the framing of bodies (decided otherwise, see docs/differences.md), and
the order of headers and of JSON members, which the Functions host itself does not keep from run to run. What cannot be the same gets a
name: folders, ids, times, versions, and keys, whose names are learned as they come.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data" / "http"

Pairs = tuple[tuple[str, str], ...]

_UNCOMPARED = ("date", "server", "content-length", "transfer-encoding")
_LIMIT_S = 30.0
_LONG = 6000
_HEAD = 140
_NAMES = (
    (re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r'(?<="id": ")vm-[0-9]+|(?<=<Id>)vm-[0-9]+'), "<host id>"),
    (re.compile(r'(?<="processUptime": )[0-9]+|(?<=<ProcessUptime>)[0-9]+'), "0"),
    (re.compile(r'(?<="version": ")[^"]*|(?<="versionDetails": ")[^"]*|(?<="FUNCTIONS_EXTENSION_VERSION": ")[^"]*'), "<version>"),
    (re.compile(r"(?<=<Version>)[^<]*|(?<=<VersionDetails>)[^<]*"), "<version>"),
    (re.compile(r'(?<="processId": )[0-9]+'), "0"),
)
_ROOT = "/tmp/refhost"
"""Where the recorded apps were; recordings say <root>, but give the length of bodies that hold it."""


@dataclass(frozen=True)
class Answer:
    """What came back, as far as it is compared. Headers are sorted; a long body is its length and its beginning."""

    status: int | None
    headers: Pairs = ()
    body: str = ""


@dataclass(frozen=True)
class Exchange:
    """One recorded request and its answer."""

    case: str
    request: dict[str, Any]
    answer: Answer
    variant: str = ""


def recorded(topic: str) -> list[dict[str, Any]]:
    """The lines of a recording."""
    return [json.loads(line) for line in (DATA / f"{topic}.jsonl").read_text("utf-8").splitlines()]


def exchanges(topic: str) -> list[Exchange]:
    """Those lines of a recording that are a request and an answer, in order."""
    return [
        Exchange(line["case"], line["request"], _recorded_answer(line), line.get("variant", ""))
        for line in recorded(topic)
        if "request" in line
    ]


def _recorded_answer(line: dict[str, Any]) -> Answer:
    body = line.get("body", "")
    return Answer(line["status"], _pairs((name, value) for name, value in line["headers"]), _shown(body))


def _pairs(headers: Any) -> Pairs:
    return tuple(sorted((name.lower(), value) for name, value in headers if name.lower() not in _UNCOMPARED))


def _shown(body: str | dict[str, Any]) -> str:
    """A recorded body in the form of `body_text`."""
    if isinstance(body, str):
        return _canonical(body)
    if body["encoding"] == "hex":
        return f"hex {body['data']}"
    return f"{body['len']} bytes, {body['head'][:_HEAD]}"


def body_text(body: bytes, root: Path) -> str:
    """A body as it is compared; `root` holds the folder `apps`."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return f"hex {body.hex()}"
    named = text.replace(str(root), "<root>").replace(f"{tempfile.gettempdir()}/FunctionsData", "<tmp>/FunctionsData")
    if len(body) > _LONG:
        return f"{len(text.replace(str(root), _ROOT).encode())} bytes, {named[:_HEAD]}"
    return _canonical(named)


def _canonical(text: str) -> str:
    """JSON, also behind a word, with sorted names; what cannot be the same by its name."""
    start = min((place for place in (text.find("{"), text.find("[{")) if place >= 0), default=-1)
    if start >= 0 and "\n" not in text:
        with contextlib.suppress(ValueError):
            text = text[:start] + json.dumps(json.loads(text[start:]), sort_keys=True, ensure_ascii=False)
    for pattern, name in _NAMES:
        text = pattern.sub(name, text)
    return text


class KeyNames:
    """Which key is `<key-1>`: known beforehand, or learned from an answer that stands where a recorded one has the name."""

    def __init__(self, known: dict[str, str]) -> None:
        self._values = dict(known)

    def filled(self, text: str) -> str:
        """A request with our keys in the place of names."""
        for name, value in self._values.items():
            text = text.replace(f"<{name}>", value).replace(f"<{name}, case swapped>", value.swapcase())
        return text

    def named(self, recorded: str, ours: str) -> str:
        """An answer of ours with names in the place of keys."""
        wanted = re.escape(recorded)
        for name in dict.fromkeys(re.findall(r"<(key-[0-9]+)>", recorded)):
            if name not in self._values:
                wanted = wanted.replace(re.escape(f"<{name}>"), f'(?P<{name.replace("-", "_")}>[^"]+)', 1)
            wanted = wanted.replace(re.escape(f"<{name}>"), '[^"]+')
        if (match := re.fullmatch(wanted, ours)) is not None:
            self._values |= {name.replace("_", "-"): value for name, value in match.groupdict().items()}
        for name, value in self._values.items():
            ours = ours.replace(value, f"<{name}>").replace(value.swapcase(), f"<{name}, case swapped>")
        return ours


def request_bytes(request: dict[str, Any]) -> bytes:
    """A recorded request as it was written to the socket. Header bytes were recorded as Latin-1, bodies as UTF-8 or hex."""
    if "raw" in request:
        raw = request["raw"]
        return _raw_head(raw) if isinstance(raw, dict) else str(raw).encode("latin-1")
    target = request["target"]
    if isinstance(target, dict):
        target = target["head"].ljust(target["length"], "a")
    lines = [f"{request['method']} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in request.get("headers", ()))]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + _body_bytes(request.get("body", ""))


def _raw_head(raw: dict[str, Any]) -> bytes:
    """One header of 33 KB, of which the recording holds the beginning."""
    return str(raw["head"]).ljust(33_000, "a").encode("latin-1") + b"\r\n\r\n"


def _body_bytes(body: str | dict[str, Any]) -> bytes:
    if isinstance(body, str):
        return body.encode()
    if body["encoding"] == "hex":
        return bytes.fromhex(body["data"])
    return str(body["head"]).ljust(body["len"], body["head"][-1]).encode()


async def ask(port: int, request: bytes, root: Path) -> Answer:
    """Send bytes over a connection of their own; the first answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**26)
    try:
        writer.write(request)
        return await asyncio.wait_for(_read_answer(reader, root, is_head=request.startswith(b"HEAD ")), _LIMIT_S)
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def _read_answer(reader: asyncio.StreamReader, root: Path, *, is_head: bool) -> Answer:
    while (head := await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100"):
        pass  # Continue
    status_line, *lines = head.decode("latin-1").split("\r\n")[:-2]
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    known = {name.lower(): value for name, value in headers}
    status = int(status_line.split(" ")[1])
    if is_head or status in (204, 304):
        body = b""
    elif known.get("transfer-encoding") == "chunked":
        body = await _read_chunks(reader)
    else:
        body = await reader.readexactly(int(known["content-length"]))
    return Answer(status, _pairs(headers), body_text(body, root))


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    chunks: list[bytes] = []
    while size := int(await reader.readline(), 16):
        chunks.append(await reader.readexactly(size))
        await reader.readline()
    return b"".join(chunks)
