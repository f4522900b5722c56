"""The instance row: columns of an update, an instance from a row, and conditions of a query.

Source: DurableTask.AzureStorage, OrchestrationInstanceStatus and OrchestrationInstanceStatusQueryCondition; recorded rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET

from linarite.durable.events import Status
from linarite.durable.instances import Instance, InstanceUpdate
from linarite.storage.tables import Instant, Row, Value, literal
from linarite.taskhub.azure.names import escape_key, prefix_bounds, unescape_key
from linarite.taskhub.protocol import InstanceQuery
from linarite.timestamps import Timestamp, seven_digits, trimmed

NO_TIME = "0001-01-01T00:00:00Z"
"""What the reference shows for an instant that is not in the row."""

_HEAD = ("ExecutionId", "Name", "Version")
_TAIL = ("CustomStatus", "CreatedTime", "LastUpdatedTime", "CompletedTime", "RuntimeStatus", "ScheduledStartTime", "Generation", "Tags")
_KEYS = ("PartitionKey", "RowKey", "Timestamp")


def _instant(value: Timestamp) -> Value:
    return Instant(seven_digits(value))


def _json(value: Any) -> Value:
    return msgspec.json.encode(value).decode("utf-8")


def _or_null(value: str | None) -> Value:
    return "null" if value is None else value


def _label(value: Status) -> str:
    return value.label


def _same(value: Value) -> Value:
    return value


_COLUMNS: dict[str, tuple[str, Callable[[Any], Value]]] = {
    "custom_status": ("CustomStatus", _or_null),
    "execution_id": ("ExecutionId", _same),
    "last_updated_at": ("LastUpdatedTime", _instant),
    "name": ("Name", _same),
    "version": ("Version", _same),
    "created_at": ("CreatedTime", _instant),
    "status": ("RuntimeStatus", _label),
    "tags": ("Tags", _json),
    "generation": ("Generation", _same),
    "scheduled_start": ("ScheduledStartTime", _instant),
    "input": ("Input", _same),
    "completed_at": ("CompletedTime", _instant),
    "output": ("Output", _same),
}
"""Column and conversion of every field of an update."""

_WRITES_NULL = {"custom_status", "tags"}
"""The fields whose null is a value of its own, the word `null`; any other null is no column."""


def columns(update: InstanceUpdate, hub: str | None = None) -> dict[str, Value]:
    """What a merge of the row sends; with the hub's name where a row is made. What is null or UNSET stays as it was."""
    found: dict[str, Value] = {}
    for field, (column, convert) in _COLUMNS.items():
        value = getattr(update, field)
        if value is not UNSET and (value is not None or field in _WRITES_NULL):
            found[column] = convert(value)
    return found if hub is None else found | {"TaskHubName": hub}


def instance(row: Row) -> Instance:
    """The instance a row describes; what an incomplete row lacks is as the reference would show it."""
    text = row.columns.get
    custom_status, tags = text("CustomStatus", "null"), text("Tags", "null")
    return Instance(
        instance_id=unescape_key(row.partition_key),
        execution_id=str(text("ExecutionId", "")),
        name=str(text("Name", "")),
        version=_text(text("Version")),
        status=_status(str(text("RuntimeStatus", ""))),
        input=_text(text("Input")),
        output=_text(text("Output")),
        custom_status=None if custom_status == "null" else str(custom_status),
        created_at=trimmed(str(text("CreatedTime", NO_TIME))),
        last_updated_at=trimmed(str(text("LastUpdatedTime", NO_TIME))),
        completed_at=_time(text("CompletedTime")),
        scheduled_start=_time(text("ScheduledStartTime")),
        generation=int(text("Generation", 0)),
        tags=None if tags in ("null", "") else msgspec.json.decode(str(tags), type=dict[str, str]),
    )


def _text(value: Value | None) -> str | None:
    return None if value is None else str(value)


def _time(value: Value | None) -> Timestamp | None:
    return None if value is None else trimmed(str(value))


def _status(label: str) -> Status:
    try:
        return Status.of(label)
    except ValueError:
        return Status.RUNNING


def selection(*, with_input: bool, with_output: bool) -> tuple[str, ...]:
    """The columns to ask for; none (all of them) when input and output are wanted."""
    if with_input and with_output:
        return ()
    wanted = (("Input", "InputBlobName") if with_input else ()) + (("Output",) if with_output else ())
    return (*_HEAD, *wanted, *_TAIL, *_KEYS)


def of_instance(instance_id: str) -> str:
    """Condition that holds for the rows of one instance, in either table."""
    return f"PartitionKey eq {literal(escape_key(instance_id))}"


def condition(query: InstanceQuery) -> str:
    """The condition of a query; empty if there is none."""
    pieces = []
    if query.created_from is not None:
        pieces.append(f"CreatedTime ge datetime'{seven_digits(query.created_from)}'")
    if query.created_to is not None:
        pieces.append(f"CreatedTime le datetime'{seven_digits(query.created_to)}'")
    if query.statuses:
        pieces.append(" or ".join(f"RuntimeStatus eq {literal(status.label)}" for status in sorted(query.statuses, key=_label)))
    if query.id_prefix:
        lower, upper = prefix_bounds(query.id_prefix)
        pieces += [f"PartitionKey ge {literal(lower)}", f"PartitionKey lt {literal(upper)}"]
    elif query.exclude_entities:
        pieces.append("PartitionKey lt '@' or PartitionKey ge 'A'")
    return pieces[0] if len(pieces) == 1 else " and ".join(f"({piece})" for piece in pieces)
