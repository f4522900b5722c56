"""Recorded rows of the tables `Instances` and `History`, as the values the host works with.

A row is a dict of column values, EDM types left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from linarite.durable.events import EVENT_KINDS, HistoryEvent, Status
from linarite.durable.instances import Instance
from linarite.timestamps import trimmed

Row = dict[str, Any]

_JSON_COLUMNS = {"ParentInstance", "Tags", "ParentTraceContext", "OrchestrationInstance", "FailureDetails", "Correlation"}
_INSTANT_COLUMNS = {"FireAt", "ScheduledStartTime"}


def instance_of(row: Row) -> Instance:
    """The instance of a row of `Instances`."""
    return Instance(
        instance_id=row["PartitionKey"],
        execution_id=row["ExecutionId"],
        name=row["Name"],
        version=row.get("Version"),
        status=Status.of(row["RuntimeStatus"]),
        input=row.get("Input"),
        output=row.get("Output"),
        custom_status=row.get("CustomStatus"),
        created_at=trimmed(row["CreatedTime"]),
        last_updated_at=trimmed(row["LastUpdatedTime"]),
        completed_at=row.get("CompletedTime"),
        scheduled_start=row.get("ScheduledStartTime"),
        generation=row.get("Generation"),
        tags=json.loads(row.get("Tags") or "null"),
    )


def events_of(rows: Iterable[Row]) -> list[HistoryEvent]:
    """The events of rows of `History`, in order; the sentinel is left out."""
    return [_event(row) for row in rows if "EventType" in row]


def _event(row: Row) -> HistoryEvent:
    kind = row["EventType"]
    members = {name: _value(name, value) for name, value in row.items() if name not in ("EventType", "_Timestamp")}
    members["Timestamp"] = trimmed(row["_Timestamp"])
    if "OrchestrationStatus" in members:
        members["OrchestrationStatus"] = int(Status.of(members["OrchestrationStatus"]))
    event: HistoryEvent = msgspec.convert(members | {"EventType": EVENT_KINDS[kind].__struct_config__.tag}, EVENT_KINDS[kind])
    return event


def _value(name: str, value: Any) -> Any:
    if name in _JSON_COLUMNS:
        return json.loads(value)
    return trimmed(value) if name in _INSTANT_COLUMNS else value
