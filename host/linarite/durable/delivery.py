"""Whether a message may be handed to its instance yet: rules that every hub applies before it makes a work item.

Pure questions about a message, the history it would join and the instance's row; what "later" means (back-off, another
queue poll) is the hub's own business.
Source: DurableTask.AzureStorage, OrchestrationSession.IsOutOfOrderMessage and
OrchestrationSessionManager.DedupeExecutionStartedMessagesAsync.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum

import msgspec

from linarite.durable.events import (
    EventRaised,
    EventSent,
    ExecutionStarted,
    HistoryEvent,
    Status,
    SubOrchestrationInstanceCompleted,
    SubOrchestrationInstanceFailed,
    TaskCompleted,
    TaskFailed,
    TimerFired,
)
from linarite.durable.instances import Instance
from linarite.durable.messages import TaskMessage, is_entity
from linarite.timestamps import Timestamp, seven_digits

PATIENCE = 5
"""Deliveries after which an answer to an instance that does not exist is let through, to be discarded."""

START_PATIENCE = 10
"""Deliveries after which a start whose row was never written is dropped: its client died in between."""


class StartVerdict(Enum):
    """What to do with a client's start message."""

    TAKE = "take"
    DROP = "drop"
    WAIT = "wait"


def is_out_of_order(message: TaskMessage, history: Sequence[HistoryEvent], delivery: int) -> bool:
    """Whether an answer overtook its question: messages leave before history is committed, so a quick answer may come too early.

    Such a message is handed back to wait. `history` is the instance's committed history; `delivery` counts from 1.
    """
    asked = _question_of(message)
    if asked is None:
        return False
    if delivery > PATIENCE and not any(isinstance(event, ExecutionStarted) for event in history):
        return False
    if isinstance(asked, int):
        return not any(event.event_id == asked for event in history)
    return asked not in request_ids(history)


def _question_of(message: TaskMessage) -> int | str | None:
    """The task id or entity request id that the message answers; None if it answers nothing."""
    match message.event:
        case TaskCompleted() | TaskFailed() | SubOrchestrationInstanceCompleted() | SubOrchestrationInstanceFailed() as answer:
            return answer.task_scheduled_id
        case TimerFired(timer_id=timer_id):
            return timer_id
        case EventRaised(name=name) if message.sender is not None and is_entity(message.sender.instance_id):
            return None if is_entity(message.target.instance_id) else name
    return None


class _Request(msgspec.Struct):
    id: str | None = None


def request_ids(history: Iterable[HistoryEvent]) -> frozenset[str]:
    """The ids of the requests this history sent to entities, lower-case."""
    found = (_request_id(event.input) for event in history if isinstance(event, EventSent) and event.input)
    return frozenset(request_id for request_id in found if request_id)


def _request_id(text: str) -> str | None:
    try:
        request_id = msgspec.json.decode(text, type=_Request).id
    except msgspec.DecodeError:  # an event to another orchestration: any text
        return None
    return request_id.lower() if request_id else None


def judge_start(start: TaskMessage, row: Instance | None, delivery: int, received_at: Timestamp) -> StartVerdict:
    """Whether a start message is the one its instance's row speaks of.

    A client sends the message first and writes the row second, so two clients that start one id leave two messages and one row: only the
    message the row names may run. `start.event` is an ExecutionStarted; children's starts are not judged. `received_at` is when this
    delivery was dequeued.
    """
    event = start.event
    assert isinstance(event, ExecutionStarted)
    if event.parent_instance is not None:
        return StartVerdict.TAKE
    if row is not None:
        if not row.execution_id or same_id(row.execution_id, event.orchestration_instance.execution_id):
            return StartVerdict.TAKE
        if event.generation == row.generation and _is_younger_than(row, event, delivery, received_at):
            return StartVerdict.DROP
    return StartVerdict.DROP if delivery >= START_PATIENCE else StartVerdict.WAIT


def _is_younger_than(row: Instance, event: ExecutionStarted, delivery: int, received_at: Timestamp) -> bool:
    """Whether the row was written without regard to this start, and nobody is about to write it again."""
    created = seven_digits(row.created_at)
    if row.status is Status.PENDING and created < seven_digits(event.timestamp):
        return True
    return delivery > 1 and seven_digits(received_at) > created


def start_is_void(start: TaskMessage, history: Sequence[HistoryEvent], row: Instance | None) -> bool:
    """Whether the instance was terminated before this, its first, start was delivered; the reference would run it all the same."""
    event = start.event
    if not isinstance(event, ExecutionStarted) or event.parent_instance is not None or history or row is None:
        return False
    return row.status.is_terminal and same_id(row.execution_id, event.orchestration_instance.execution_id)


def is_repeated_start(start: TaskMessage, history: Sequence[HistoryEvent]) -> bool:
    """Whether a child's start asks for what was begun already: the current generation has it, or came after the one that had it.

    A parent that died while it committed asks again, under another execution id; and a child that died after its first commit is told
    again, when it may have continued as new. The reference begins the child from the top in both cases. `history` is the current
    generation's, whichever that is.
    """
    asked = start.event
    if (
        not isinstance(asked, ExecutionStarted)
        or asked.parent_instance is None
        or is_entity(asked.parent_instance.orchestration_instance.instance_id)
    ):
        return False
    begun = next((event for event in history if isinstance(event, ExecutionStarted)), None)
    if begun is None or same_id(begun.orchestration_instance.execution_id, asked.orchestration_instance.execution_id):
        return False
    return begun.name.lower() == asked.name.lower() and _task(begun) == _task(asked)


def _task(started: ExecutionStarted) -> tuple[str, str, int] | None:
    """The task of its parent that a child is."""
    parent = started.parent_instance
    if parent is None:
        return None
    by = parent.orchestration_instance
    return by.instance_id, (by.execution_id or "").lower(), parent.task_schedule_id


def same_id(one: str | None, other: str | None) -> bool:
    """Whether two execution ids are one; case does not count."""
    return (one or "").lower() == (other or "").lower()
