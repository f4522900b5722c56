"""Recorded runs of queue and blob functions, made again: the same app, messages, blobs and calls, and what came of them as facts.

A fact is a name and a value. What differs from run to run (ids, receipts, instants, hosts) is replaced by what can be said of it.
"""

from __future__ import annotations

import asyncio
import base64
import collections
import contextlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from linarite.bindings.connections import Connections
from linarite.bindings.manual import manual_trigger
from linarite.bindings.storage_bindings import storage_bindings
from linarite.bindings.wakes import Wakes
from linarite.clock import SystemClock
from linarite.errors import LinariteError, StorageRefused, UserCodeFailed
from linarite.function_log import FunctionLog
from linarite.host_json import read_host_json
from linarite.invocation import Datum, HttpResponse, Invocation, InvocationResult
from linarite.invoker import HOST_APIS, Invoker
from linarite.listeners.blob import BlobListener
from linarite.listeners.blob_trigger import blob_by_hand, blob_trigger
from linarite.listeners.queue import QueueListener
from linarite.metadata import Function
from linarite.settings import AppSettings
from linarite.storage.outages import Outages
from linarite.workers.in_process import InProcessWorker
from linarite.workers.protocol import IndexedApp
from tests.workers.calls import request

DATA = Path(__file__).parent / "data" / "host" / "triggers"
HOST_ID = "vm-97252779"

Facts = dict[str, Any]


class Recording:
    """A worker in this process that keeps what it is asked."""

    def __init__(self, folder: Path, observations: Path) -> None:
        self._worker = InProcessWorker(folder, {"REF_OBS": str(observations)}, lambda line: None)
        self.asked: list[Invocation] = []
        self.abort = self._worker.abort
        self.stop = self._worker.stop

    async def start(self) -> IndexedApp:
        return await self._worker.start()

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        self.asked.append(invocation)
        return await self._worker.invoke(invocation)


class Run:
    """A recorded app, running on an emulator of its own."""

    def __init__(self, name: str, connection: str, folder: Path) -> None:
        self.app = DATA / name
        self.observations = folder / "observed.jsonl"
        self.observations.touch()
        self.worker = Recording(self.app, self.observations)
        settings = AppSettings({"AzureWebJobsStorage": connection})
        host = read_host_json(self.app, settings).settings
        clock, wakes, outages = SystemClock(), Wakes(), Outages()
        self.connections = Connections(settings)
        self.storage = self.connections.storage()
        bindings = storage_bindings(self.connections, host.queues, clock, wakes)
        self.invoker = Invoker(self.worker, clock, FunctionLog(), bindings=bindings)
        self._parts = (host, clock, wakes, outages)
        self._listeners: list[QueueListener | BlobListener] = []
        self.functions: dict[str, Function] = {}

    async def start(self) -> None:
        host, clock, wakes, outages = self._parts
        indexed = await self.worker.start()
        self.functions = {function.name: function for function in indexed.functions}
        self._listeners = [
            QueueListener(function, self.connections, host.queues, self.invoker, clock, wakes, outages)
            for function in indexed.functions
            if function.trigger_type == "queuetrigger"
        ]
        triggers = [blob_trigger(function, self.connections) for function in indexed.functions if function.trigger_type == "blobtrigger"]
        if triggers:
            self._listeners.append(BlobListener(triggers, self.storage, HOST_ID, host.blobs, self.invoker, clock, wakes, outages))
        for listener in self._listeners:
            await listener.start()

    async def stop(self) -> None:
        for listener in self._listeners:
            await listener.stop()
        await self.worker.stop(5)

    async def call(self, name: str, kind: str) -> InvocationResult:
        """An HTTP request to a function whose route ends with `{kind}`."""
        function = self.functions[name]
        return await self.invoker.invoke(function, {"req": request(kind=kind)}, {"kind": Datum("string", kind)}, reason=HOST_APIS)

    async def fire(self, name: str, given: str | None) -> bool:
        """Whether a function fired by hand could be given what it was to be given."""
        function = self.functions[name]
        try:
            if function.trigger_type == "blobtrigger":
                inputs, metadata = await blob_by_hand(blob_trigger(function, self.connections), given)
            else:
                inputs, metadata = manual_trigger(function, given, SystemClock().now())
        except LinariteError:
            return False
        with contextlib.suppress(UserCodeFailed):
            await self.invoker.invoke(function, inputs, metadata, reason=HOST_APIS)
        return True

    async def messages(self, queue: str) -> list[str]:
        """The texts in a queue that nobody listens to, as they are stored."""
        found: list[str] = []
        with contextlib.suppress(StorageRefused):  # there is no such queue
            while messages := await self.storage.queues.get(queue, 32, 600):
                assert {message.dequeue_count for message in messages} == {1}
                found += [message.text for message in messages]
        return found

    def observed(self) -> list[dict[str, Any]]:
        """What the app's functions wrote down."""
        return [json.loads(line) for line in self.observations.read_text("utf-8").splitlines()]

    async def until_observed(self, expected: Mapping[str, int]) -> None:
        """Wait until each function has written down as many lines as it is to."""
        while not all(self._lines()[name] >= count for name, count in expected.items()):  # noqa: ASYNC110  the app writes to a file
            await asyncio.sleep(0.05)

    def _lines(self) -> collections.Counter[str]:
        return collections.Counter(line["fn"] for line in self.observed())


def recorded(name: str) -> list[dict[str, Any]]:
    """The lines of a recording."""
    return [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text("utf-8").splitlines()]


def numbered(named: Iterable[tuple[str, Mapping[str, Any]]]) -> Facts:
    """Facts of things that have the same name are told apart by a number, in the order of what they say."""
    groups: dict[str, list[Mapping[str, Any]]] = collections.defaultdict(list)
    for name, facts in named:
        groups[name].append(facts)
    return {
        f"{name} #{number} / {member}": value
        for name, things in groups.items()
        for number, facts in enumerate(sorted(things, key=lambda one: json.dumps(one, sort_keys=True, default=str)), start=1)
        for member, value in facts.items()
    }


def observed_facts(line: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """What a function saw, by function and what it was given."""
    name = f"observed {line['fn']} {line.get('body') or line.get('msg') or line.get('name')}"
    facts = {key: value for key, value in line.items() if key not in ("kind", "fn", "t", "blob_properties")}
    if "insertion_time" in line:
        facts |= _message_facts(line)
    if "uri" in line:
        facts["uri"] = _without_host(line["uri"])
    for property_name, value in line.get("blob_properties", {}).items():
        facts[f"property {property_name}"] = _stable(value)
    return name, facts


def _message_facts(line: Mapping[str, Any]) -> dict[str, Any]:
    inserted, expires, next_visible = (
        datetime.fromisoformat(line[key]) for key in ("insertion_time", "expiration_time", "time_next_visible")
    )
    is_never = expires.year == 9999
    return {
        "id": line["id"] and "an id",
        "pop_receipt": line["pop_receipt"] and "a receipt",
        "insertion_time": "about now" if is_never else "whole seconds" if not inserted.microsecond else "fractions",
        "expiration_time": line["expiration_time"] if is_never else f"{(expires - inserted).days} days later",
        "time_next_visible": line["time_next_visible"]
        if is_never
        else f"{round((next_visible.timestamp() - line['t']) / 60)} minutes later",
    }


def invocation_facts(function: str, inputs: Mapping[str, Any], metadata: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """What a worker was sent; values are pairs of kind and value."""
    by_hand = " by hand" if set(inputs) & set(metadata) else ""
    facts: dict[str, Any] = {f"input {name}": list(value) for name, value in inputs.items()}
    for name, (kind, value) in metadata.items():
        if name == "Properties":
            facts |= {f"property {key}": _stable(member) for key, member in json.loads(value).items()}
        else:
            facts[f"metadata {name}"] = [kind, _without_host(value) if name == "Uri" else _stable(value, name)]
    (_, given), *_ = inputs.values()
    return f"invocation {function} {given!r}{by_hand}", facts


def sent(invocation: Invocation) -> tuple[str, dict[str, Any]]:
    """The same facts of one of ours."""

    def pair(datum: Datum) -> list[Any]:
        return [datum.kind, datum.value.decode("latin-1") if datum.kind == "bytes" else datum.value]

    inputs = {name: pair(datum) for name, datum in invocation.inputs.items()}
    return invocation_facts(invocation.function_name, inputs, {name: pair(datum) for name, datum in invocation.trigger_metadata.items()})


_STAMP = re.compile(r'^"?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?\+00:00"?$')


def _stable(value: Any, name: str = "") -> Any:
    """A value without what differs from run to run."""
    if name in ("Id", "PopReceipt"):
        return "an id"
    if isinstance(value, str) and (stamp := _STAMP.match(value)) and not stamp[1].startswith(("0001", "9999")):
        return "an instant with fractions" if stamp[2] else "an instant of whole seconds"
    return re.sub(r"0x[0-9A-F]+", "0x1", value) if isinstance(value, str) else value


def _without_host(url: str) -> str:
    return re.sub(r"127\.0\.0\.1:\d+", "host", url)


def message_text(stored: str) -> dict[str, str]:
    """A message as the recordings show it: its text if that is Base64 of UTF-8, else as it is stored."""
    try:
        return {"text": base64.b64decode(stored, validate=True).decode()}
    except ValueError:
        return {"raw": stored}


def queue_facts(queue: str, messages: Iterable[Mapping[str, Any]]) -> Facts:
    """What lies in a queue, in order where one function put it there."""
    texts = [json.dumps({key: message[key] for key in ("text", "raw") if key in message}, ensure_ascii=False) for message in messages]
    return {f"queue {queue}": [_stable(text) for text in (texts if queue == "q-out" else sorted(texts))]}


def blob_facts(container: str, name: str, content: str, metadata: Iterable[str], lease: str) -> Facts:
    """A blob that is there."""
    where = f"blob {container}/{_stable(name).replace(chr(34), '')}"
    facts = {f"{where} / content": content, f"{where} / metadata": sorted(metadata), f"{where} / lease": lease}
    return facts | ({f"{where} / quotes": '"' in name} if "0x" in name else {})


def answer_facts(result: InvocationResult | None) -> tuple[int, str]:
    """Status and body of an answer; a function that failed is a 500."""
    if result is None or result.return_value is None:
        return 500, ""
    response = result.return_value.value
    assert isinstance(response, HttpResponse)
    return int(response.status), response.body.decode()
