"""The instance row: what one commit changes in it, and what a reader gets.

Source: AzureTableTrackingStore.UpdateStateAsync; the same rules serve every hub.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from linarite.durable.events import (
    ExecutionCompleted,
    ExecutionResumed,
    ExecutionStarted,
    ExecutionSuspended,
    ExecutionTerminated,
    HistoryEvent,
    Status,
)
from linarite.timestamps import Timestamp


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """One instance as its row has it. Texts are as stored: JSON for `input`, `output` and `custom_status`, or raw reasons."""

    instance_id: str
    execution_id: str
    name: str
    version: str | None
    status: Status
    input: str | None
    output: str | None
    custom_status: str | None
    created_at: Timestamp
    last_updated_at: Timestamp
    completed_at: Timestamp | None
    scheduled_start: Timestamp | None
    generation: int | None
    tags: dict[str, str] | None


class InstanceUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """The columns a commit writes; what is UNSET stays as it was."""

    execution_id: str | UnsetType = UNSET
    last_updated_at: Timestamp | UnsetType = UNSET
    custom_status: str | UnsetType | None = UNSET
    name: str | UnsetType = UNSET
    version: str | UnsetType | None = UNSET
    created_at: Timestamp | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    tags: dict[str, str] | UnsetType | None = UNSET
    generation: int | UnsetType = UNSET
    scheduled_start: Timestamp | UnsetType = UNSET
    input: str | UnsetType | None = UNSET
    completed_at: Timestamp | UnsetType = UNSET
    output: str | UnsetType | None = UNSET


def instance_update(
    events: Sequence[HistoryEvent], *, execution_id: str, custom_status: str | UnsetType | None, now: Timestamp
) -> InstanceUpdate:
    """What the row learns from the events of one commit (at least one), taken in order: the last change of status wins."""
    update = InstanceUpdate(execution_id=execution_id, custom_status=custom_status, last_updated_at=events[-1].timestamp)
    for event in events:
        update = _after(update, event, now)
    return update


def row_repair(history: Sequence[HistoryEvent], row: Instance | None, *, execution_id: str) -> InstanceUpdate | None:
    """What a row needs that missed a commit, because a host died behind it: None if it agrees with `history` (not empty).

    The times are those of the events; the custom status is not in history and stays. A row that exists keeps its input.
    """
    update = InstanceUpdate(execution_id=execution_id, last_updated_at=history[-1].timestamp)
    for event in history:
        update = _after(update, event, event.timestamp)
    if row is None:
        return update
    if row.status is update.status or row.execution_id != execution_id:
        return None
    return msgspec.structs.replace(update, input=UNSET)


def _after(update: InstanceUpdate, event: HistoryEvent, now: Timestamp) -> InstanceUpdate:
    match event:
        case ExecutionStarted():
            return msgspec.structs.replace(
                update,
                name=event.name,
                version=event.version,
                created_at=event.timestamp,
                status=Status.RUNNING,
                tags=event.tags,
                generation=UNSET if event.generation is None else event.generation,
                scheduled_start=UNSET if event.scheduled_start_time is None else event.scheduled_start_time,
                input=event.input,
            )
        case ExecutionCompleted():
            details = event.failure_details
            output = f"{details.error_type}: {details.error_message}" if details else event.result
            return msgspec.structs.replace(update, status=event.orchestration_status, completed_at=now, output=output)
        case ExecutionTerminated():
            return msgspec.structs.replace(update, status=Status.TERMINATED, completed_at=now, output=event.input)
        case ExecutionSuspended():
            return msgspec.structs.replace(update, status=Status.SUSPENDED, output=event.reason)
        case ExecutionResumed():
            return msgspec.structs.replace(update, status=Status.RUNNING, output=event.reason)
    return update
