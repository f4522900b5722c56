"""The reference engine's recordings, and the same scenarios played on our hub: requests of both in one form, to be compared.

The form is that of `data/engine/README.md` with everything that differs from run to run made equal: execution ids become
`<instance/number>`, other ids `<guid>`, instants `<time>`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

from linarite.taskhub.azure.names import HubNames
from tests.storage_proxy import Exchange

DATA = Path(__file__).parent / "data" / "engine"

Line = list[Any]

_ID = re.compile(r"\b[0-9a-f]{32}\b|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_ACCOUNT = re.compile(r"http://127\.0\.0\.1:\d+/devstoreaccount1/[a-z0-9]+-largemessages")
_UNIQUE = re.compile(r"-[0-9A-F]{8}-(\w+\.json\.gz)")
_OPERATION = re.compile(rb"(PUT|POST|PATCH|DELETE) (\S+) HTTP/1\.1\r\n(?:[^\r\n]+\r\n)*\r\n([^\r\n]*)")


def recording(scenario: str) -> list[Line]:
    """A recording's lines."""
    return [json.loads(line) for line in (DATA / f"{scenario}.jsonl").read_text("utf-8").splitlines()]


def played(exchanges: Iterable[Exchange], hub: str) -> list[Line]:
    """The lines of what a host of ours asked a proxy, in order of completion."""
    found = (line_of(exchange, hub) for exchange in exchanges if exchange.status < 300)
    return [line for line in found if line is not None]


def line_of(exchange: Exchange, hub: str) -> Line | None:
    """The line of one request; None if it is none of those that are compared."""
    times = [exchange.began * 1000, exchange.ended * 1000]
    queue = exchange.path.split("/")[0].removeprefix(hub.lower() + "-")
    match exchange.service, exchange.method:
        case "queue", "POST":
            hidden = exchange.query.get("visibilitytimeout")
            text = ElementTree.fromstring(exchange.body).findtext("MessageText", "")
            return ["send", *times, queue, None if hidden is None else int(hidden), json.loads(text)]
        case "queue", "DELETE":
            return ["delete", *times, queue]
        case "table", "POST" if exchange.path == "$batch":
            return ["history", *times, [_operation(*found) for found in _OPERATION.findall(exchange.body)]]
        case "table", "POST" | "PATCH" | "PUT" | "DELETE" if exchange.path.startswith(f"{hub}Instances"):
            return ["instance", *times, exchange.method, json.loads(exchange.body or b"null")]
        case "table", "PUT" if exchange.path.startswith(f"{hub}History"):
            return ["rewrite", *times, json.loads(exchange.body)]
    return None


def _operation(method: bytes, url: bytes, body: bytes) -> Line:
    if method == b"DELETE":
        return ["DELETE", unquote(url.decode().partition("?")[0].rpartition("/")[2])]
    return [method.decode(), json.loads(body)]


@dataclass
class Plain:
    """Makes what one run wrote comparable to what another wrote."""

    hub: str
    names: dict[str, str] = field(default_factory=dict)

    def learn(self, lines: Iterable[Line]) -> None:
        """Name every execution id after its instance, in order of appearance."""
        for line in lines:
            if line[0] == "send" and line[-1]["TaskMessage"]:
                target = line[-1]["TaskMessage"]["OrchestrationInstance"]
                self._name(target["InstanceId"], target["ExecutionId"])
            elif line[0] == "history":
                for _, row in line[-1]:
                    if isinstance(row, dict) and "ExecutionId" in row:
                        self._name(row["PartitionKey"], row["ExecutionId"])
            elif line[0] == "row" and "ExecutionId" in line[2]:
                self._name(line[2]["PartitionKey"][1], line[2]["ExecutionId"][1])

    def _name(self, instance_id: str, execution_id: str | None) -> None:
        if execution_id and execution_id not in self.names:
            known = self.text(instance_id)
            number = sum(name.startswith(f"<{known}/") for name in self.names.values())
            self.names[execution_id] = f"<{known}/{number}>"

    def value(self, value: Any) -> Any:
        """The value with everything in it made equal. Members that are null or a .NET map's type are left out."""
        if isinstance(value, dict):
            if set(value) == {"head", "length"}:
                return {"length": value["length"]}
            return {self.text(name): self.value(inner) for name, inner in value.items() if not _is_map_type(name, inner)}
        if isinstance(value, list):
            return [self.value(inner) for inner in value]
        if isinstance(value, str):
            return {"length": len(value)} if len(value) > 3000 else self.text(value)
        return value

    def row(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row's columns, without those that are null."""
        return {name: self.value(value) for name, value in sorted(row.items()) if value is not None}

    def text(self, text: str) -> str:
        for execution_id, name in self.names.items():
            text = text.replace(execution_id, name)
        text = _ACCOUNT.sub("<payloads>", text)
        text = _UNIQUE.sub(r"-XXXXXXXX-\1", _ID.sub("<guid>", _TIME.sub("<time>", text)))
        return text.replace(self.hub, "Golden")


def _is_map_type(name: str, value: Any) -> bool:
    return name == "$type" and str(value).startswith("System.Collections")


def sends(lines: Sequence[Line], plain: Plain) -> list[str]:
    """Queue and text of every message that was sent; order of members counts, order of messages does not."""
    found = []
    for line in lines:
        if line[0] == "send":
            text = plain.value(line[-1])
            text["SequenceNumber"] = 0
            found.append(f"{_queue(line)} {json.dumps(text, ensure_ascii=False)}")
    return sorted(found)


def _queue(line: Line) -> str:
    """The queue, which has to be right; that of an id which differs from run to run differs too."""
    message = line[-1]["TaskMessage"]
    if message is None or line[3] == "workitems":
        return str(line[3])
    instance_id = message["OrchestrationInstance"]["InstanceId"]
    assert line[3] == HubNames("golden", 4).control_queue_of(instance_id).removeprefix("golden-")
    return "control" if _ID.search(instance_id) else str(line[3])


def delays(lines: Sequence[Line]) -> dict[tuple[str, int], int | None]:
    """For how long timers and scheduled starts were hidden, by kind and id."""
    found = {}
    for line in lines:
        event = (line[-1]["TaskMessage"] or {}).get("Event", {}) if line[0] == "send" else {}
        if event.get("FireAt") or event.get("ScheduledStartTime"):
            found[event["$type"], event.get("TimerId", -1)] = line[4]
    return found


def histories(lines: Sequence[Line], plain: Plain) -> dict[str, list[Any]]:
    """The transactions on the history, in order, by instance key."""
    found: dict[str, list[Any]] = {}
    for line in lines:
        if line[0] == "history" and line[-1][0][0] != "DELETE":
            operations = [[method, plain.row(row)] for method, row in line[-1]]
            found.setdefault(operations[0][1]["PartitionKey"], []).append(operations)
    return found


def instance_writes(lines: Sequence[Line], plain: Plain) -> dict[str, list[Any]]:
    """The writes of instance rows, in order, by instance key."""
    found: dict[str, list[Any]] = {}
    for line in lines:
        if line[0] == "instance" and line[4] is not None:
            row = plain.row(line[4])
            found.setdefault(row["PartitionKey"], []).append([line[3], row])
    return found


def rewrites(lines: Sequence[Line], plain: Plain) -> list[Any]:
    """The history rows that were replaced one by one, in order."""
    return [plain.row(line[-1]) for line in lines if line[0] == "rewrite"]


def rows(lines: Sequence[Line], plain: Plain) -> dict[tuple[str, str, str], Any]:
    """The rows that were left, with their types, by table and keys."""
    found = {}
    for line in lines:
        if line[0] == "row":
            typed = {name: (edm, plain.value(value)) for name, (edm, value) in sorted(line[2].items())}
            found[line[1], typed["PartitionKey"][1], typed["RowKey"][1]] = typed
    return found


def blobs(lines: Sequence[Line], plain: Plain) -> list[str]:
    """The names of the blobs that were left."""
    return sorted(plain.text(line[1]) for line in lines if line[0] == "blob")
