"""What clients do to an instance from outside, each in one transaction: start it, rewind it, purge it.

All three change the instance's revision, so that whoever holds it can no longer commit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from linarite.durable.events import ExecutionStarted, GenericEvent, OrchestrationInstance, Status
from linarite.durable.instances import InstanceUpdate
from linarite.durable.messages import TaskMessage
from linarite.durable.rewind import rewind as undo
from linarite.errors import HubError, InstanceExists
from linarite.taskhub.sqlite import checkpoints, instance_rows, stored_messages
from linarite.taskhub.sqlite.checkpoints import Checkpoint
from linarite.taskhub.sqlite.stored_messages import Parcel, parcel
from linarite.timestamps import Timestamp


@dataclass(frozen=True, slots=True)
class Created:
    """The instance's new checkpoint, the start that was sent, and those it took back."""

    checkpoint: Checkpoint
    start: Parcel
    taken_back: frozenset[int]


def create(database: sqlite3.Connection, seq: int, start: TaskMessage, overridable: frozenset[Status], now: Timestamp) -> Created:
    """A pending instance and its start message, in place of what had the id. Raises InstanceExists before anything is written."""
    event = start.event
    assert isinstance(event, ExecutionStarted)
    instance_id = start.target.instance_id
    row = database.execute("SELECT key, status, generation FROM instances WHERE instance_id = ?", (instance_id,)).fetchone()
    if row is not None and Status(row[1]) not in overridable:
        raise InstanceExists(instance_id, Status(row[1]).label)
    if event.generation is None:
        event = msgspec.structs.replace(event, generation=0 if row is None else (row[2] or 0) + 1)
    values = {**instance_rows.BLANK, **instance_rows.values_of(_pending(start.target, event, now))}
    if row is None:
        key = instance_rows.insert(database, instance_id, seq, 0, values)
    else:
        key = row[0]
        instance_rows.update(database, key, seq, 0, values)
        checkpoints.delete_history(database, key)
    taken_back = stored_messages.take_back_creations(database, instance_id)
    sent = parcel(seq, msgspec.structs.replace(start, event=event))
    stored_messages.insert(database, [sent], is_creation=True)
    return Created(Checkpoint(key, seq, values["execution_id"], 0, (), 0), sent, taken_back)


def _pending(target: OrchestrationInstance, event: ExecutionStarted, now: Timestamp) -> InstanceUpdate:
    return InstanceUpdate(
        execution_id=target.execution_id or "",
        name=event.name,
        version=event.version,
        status=Status.PENDING,
        input=event.input,
        tags=event.tags,
        created_at=event.timestamp,
        last_updated_at=now,
        generation=msgspec.UNSET if event.generation is None else event.generation,
        scheduled_start=msgspec.UNSET if event.scheduled_start_time is None else event.scheduled_start_time,
    )


def purge(database: sqlite3.Connection, instance_id: str) -> frozenset[int] | None:
    """Row, history and unread starts; the latter's numbers, or None if there was no such instance."""
    row = database.execute("SELECT key FROM instances WHERE instance_id = ?", (instance_id,)).fetchone()
    if row is None:
        return None
    instance_rows.delete(database, row[0])
    checkpoints.delete_history(database, row[0])
    return stored_messages.take_back_creations(database, instance_id)


@dataclass(frozen=True, slots=True)
class Rewound:
    """Which instances were changed, and the messages that wake those of them that can go on by themselves."""

    instance_ids: tuple[str, ...]
    sent: tuple[Parcel, ...]


def rewind(database: sqlite3.Connection, new_seq: Callable[[], int], instance_id: str, reason: str | None, now: Timestamp) -> Rewound:
    """Undo the failures of an instance and of its failed children, all the way down. Raises HubError if one of them is gone."""
    rewound = dict(_rewound(database, new_seq(), instance_id, now))
    wake_up = GenericEvent(data=reason, timestamp=now)
    sent = tuple(
        parcel(new_seq(), TaskMessage(event=wake_up, target=OrchestrationInstance(instance_id=leaf)))
        for leaf, is_leaf in rewound.items()
        if is_leaf
    )
    stored_messages.insert(database, sent)
    return Rewound(tuple(rewound), sent)


def _rewound(database: sqlite3.Connection, revision: int, instance_id: str, now: Timestamp) -> Iterator[tuple[str, bool]]:
    """The instances below and including this one, each with whether it has no failed child."""
    checkpoint = checkpoints.load(database, instance_id)
    if checkpoint is None or not checkpoint.events:
        raise HubError(f"There is no instance {instance_id!r} with a history, so nothing was rewound; it may have been purged.")
    undone = undo(checkpoint.events)
    for child in undone.failed_children:
        yield from _rewound(database, revision, child, now)
    checkpoints.delete_history(database, checkpoint.key)
    checkpoints.append_chunk(database, checkpoint.key, 0, checkpoints.encoded(undone.applied_to(checkpoint.events)))
    pending = instance_rows.values_of(InstanceUpdate(status=Status.PENDING, last_updated_at=now))
    instance_rows.update(database, checkpoint.key, revision, 1, pending)
    yield instance_id, not undone.failed_children
