"""History events as rows of the history table.

A column per member, in the member's EDM type; what is neither text, number, truth value nor instant is JSON text without type names, whose
null is the word `null`. Columns that are null are left out: to the service that is the same.
Source: DurableTask.AzureStorage, TableEntityConverter and AzureTableTrackingStore; recorded rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from linarite.durable.events import EVENT_KINDS, HistoryEvent, Status
from linarite.errors import HubError
from linarite.storage.tables import Instant, Row, Value
from linarite.taskhub.azure.names import MAX_COMMIT_BYTES, MAX_COMMIT_ROWS, SENTINEL, row_key, utf16_units
from linarite.taskhub.azure.spill import BLOB_NAME, SPILLABLE
from linarite.timestamps import Timestamp, seven_digits, trimmed

_INSTANTS = {"ScheduledStartTime", "FireAt", "Timestamp"}
_JSON = {"OrchestrationInstance", "ParentInstance", "ParentTraceContext", "FailureDetails", "Tags"}
_TIMESTAMP = "_Timestamp"
"""The column of an event's `Timestamp`; the plain name belongs to the service."""

_ROW_OVERHEAD_BYTES = 1024


def columns(event: HistoryEvent, execution_id: str) -> dict[str, Value]:
    """The columns of an event's row."""
    kind = type(event)
    found: dict[str, Value] = {}
    for field, member in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True):
        value = _cell(member, getattr(event, field))
        if value is not None:
            found[_TIMESTAMP if member == "Timestamp" else member] = value
    found["EventType"] = kind.__name__
    found["ExecutionId"] = execution_id
    return found


def _cell(member: str, value: Any) -> Value | None:
    if member in _JSON:
        return msgspec.json.encode(value).decode("utf-8")
    if value is None:
        return None
    if member in _INSTANTS:
        return Instant(seven_digits(value))
    return value.label if isinstance(value, Status) else value


def event(row: Row) -> HistoryEvent:
    """The event of a row. Raises HubError for a kind of event this host does not know."""
    name = str(row.columns.get("EventType", ""))
    kind = EVENT_KINDS.get(name)
    if kind is None:
        raise HubError(
            f"The history of instance key {row.partition_key} holds an event of kind {name or '(none)'} in row {row.row_key}, "
            "which this version cannot read. Purge the instance, or let the host that wrote it finish it."
        )
    members = {member: _member(member, row) for member in kind.__struct_encode_fields__}
    return msgspec.convert({member: value for member, value in members.items() if value is not None}, kind)  # type: ignore[no-any-return]


def _member(member: str, row: Row) -> Any:
    value = row.columns.get(_TIMESTAMP if member == "Timestamp" else member)
    if value is None:
        return "" if member == "Name" else None  # the reference leaves null names out
    if member in _JSON:
        return msgspec.json.decode(str(value))
    if member in _INSTANTS:
        return trimmed(str(value))
    if member == "OrchestrationStatus":
        return Status.of(str(value)).value
    return value


def sentinel(partition_key: str, execution_id: str, completed_at: Timestamp | None) -> Row:
    """The row whose ETag is the instance's lock; `completed_at` only in the last transaction of a commit."""
    columns: dict[str, Value] = {"ExecutionId": execution_id}
    if completed_at is not None:
        columns |= {"IsCheckpointComplete": True, "CheckpointCompletedTimestamp": Instant(seven_digits(completed_at))}
    return Row(partition_key, SENTINEL, columns)


def transactions(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The event rows of one commit, cut into what one transaction takes beside the sentinel. At least one list, maybe empty."""
    batch: list[Row] = []
    size_bytes = 0
    for row in rows:
        batch.append(row)
        size_bytes += _ROW_OVERHEAD_BYTES + sum(2 * utf16_units(str(row.columns.get(name, ""))) for name in SPILLABLE)
        if len(batch) == MAX_COMMIT_ROWS or size_bytes > MAX_COMMIT_BYTES:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch


@dataclass(frozen=True, slots=True)
class Generation:
    """What the history table says of one instance.

    `execution_id` and `etag` are the sentinel's, None if there is no such row. `rows` are the events of the generation asked for, in order:
    none if that is not the current one. `blobs` are those its rows point to.
    """

    execution_id: str | None
    etag: str | None
    rows: Sequence[Row]

    @property
    def blobs(self) -> frozenset[str]:
        return frozenset(str(value) for row in self.rows for name, value in row.columns.items() if name.endswith(BLOB_NAME))


def generation(rows: Sequence[Row], wanted: str | None) -> Generation:
    """The current generation among an instance's rows, if it is the wanted one (None: whichever it is).

    Rows behind the first one of another generation are left over from a longer history that this one overwrote.
    """
    marker = next((row for row in rows if row.row_key == SENTINEL), None)
    etag = marker.etag if marker else None
    events = [row for row in rows if row.row_key != SENTINEL]
    found = marker or next(iter(events), None)
    current = str(found.columns.get("ExecutionId", "")) if found else None
    if wanted is not None and current is not None and wanted.lower() != current.lower():
        return Generation(current, etag, [])
    kept = []
    for row in events:
        if row.columns.get("ExecutionId", current) != current:
            break
        kept.append(row)
    return Generation(current, etag, kept)


def event_row(partition_key: str, position: int, event: HistoryEvent, execution_id: str) -> Row:
    """The row of the event at a position of its generation."""
    return Row(partition_key, row_key(position), columns(event, execution_id))
