"""What a core would say to a work item, in a few words: messages, events and decisions for hub tests."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from linarite.durable.decision import Decision
from linarite.durable.events import (
    EventRaised,
    ExecutionCompleted,
    ExecutionStarted,
    ExecutionSuspended,
    ExecutionTerminated,
    HistoryEvent,
    OrchestrationInstance,
    OrchestratorCompleted,
    OrchestratorStarted,
    ParentInstance,
    Status,
    SubOrchestrationInstanceCompleted,
    SubOrchestrationInstanceCreated,
    SubOrchestrationInstanceFailed,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    TimerCreated,
    TimerFired,
)
from linarite.durable.messages import TaskMessage
from linarite.taskhub.protocol import ActivityWorkItem, OrchestrationWorkItem
from linarite.timestamps import Timestamp, timestamp

ANY_STATUS = frozenset(Status)
FINISHED = frozenset(status for status in Status if status.is_terminal)


def start(
    instance_id: str,
    now: datetime,
    execution_id: str = "e1",
    *,
    name: str = "chain",
    input: str | None = None,
    at: Timestamp | None = None,
    parent: ParentInstance | None = None,
    tags: dict[str, str] | None = None,
) -> TaskMessage:
    """A client's start, or (with `parent`) a child's."""
    me = OrchestrationInstance(instance_id=instance_id, execution_id=execution_id)
    event = ExecutionStarted(
        orchestration_instance=me,
        parent_instance=parent,
        name=name,
        input=input,
        tags=tags,
        scheduled_start_time=at,
        timestamp=timestamp(now),
    )
    return TaskMessage(event=event, target=me)


def raised(instance_id: str, name: str, now: datetime, input: str | None = None, execution_id: str | None = None) -> TaskMessage:
    """An external event."""
    target = OrchestrationInstance(instance_id=instance_id, execution_id=execution_id)
    return TaskMessage(event=EventRaised(name=name, input=input, timestamp=timestamp(now)), target=target)


def terminated(instance_id: str, reason: str, now: datetime) -> TaskMessage:
    """Somebody wants it ended."""
    event = ExecutionTerminated(input=reason, timestamp=timestamp(now))
    return TaskMessage(event=event, target=OrchestrationInstance(instance_id=instance_id))


def suspended(instance_id: str, reason: str, now: datetime) -> TaskMessage:
    """Somebody wants it to pause."""
    event = ExecutionSuspended(reason=reason, timestamp=timestamp(now))
    return TaskMessage(event=event, target=OrchestrationInstance(instance_id=instance_id))


def names(item: OrchestrationWorkItem) -> list[str]:
    """The names of an item's external events, in order; other messages by their kind."""
    return [m.event.name if isinstance(m.event, EventRaised) else type(m.event).__name__ for m in item.messages]


def me(item: OrchestrationWorkItem) -> OrchestrationInstance:
    """The generation an item is about."""
    events = (*item.history, *(message.event for message in item.messages))
    return next(event.orchestration_instance for event in events if isinstance(event, ExecutionStarted))


def episode(
    item: OrchestrationWorkItem,
    now: datetime,
    *asked: tuple[HistoryEvent, TaskMessage] | TaskMessage,
    unread: Collection[int] = (),
    dropped: Collection[int] = (),
    custom_status: str | UnsetType | None = UNSET,
    ends: Status | None = None,
    output: str | None = None,
) -> Decision:
    """One episode: what was read joins the history, then what is asked for, then, with `ends`, the completion.

    `asked`: pairs of what history keeps and what is sent; a report is only sent. `dropped`: read, and kept out of history.
    """
    at = timestamp(now)
    kept = [message.event for position, message in enumerate(item.messages) if position not in (*unread, *dropped)]
    read = [msgspec.structs.replace(event, is_played=True) for event in kept]
    done = [] if ends is None else [ExecutionCompleted(orchestration_status=ends, result=output, event_id=next_task_id(item), timestamp=at)]
    return Decision(
        execution_id=me(item).execution_id or "",
        new_events=(
            OrchestratorStarted(timestamp=at),
            *read,
            *(pair[0] for pair in asked if isinstance(pair, tuple)),
            *done,
            OrchestratorCompleted(timestamp=at),
        ),
        outbound=tuple(pair[1] if isinstance(pair, tuple) else pair for pair in asked),
        custom_status=custom_status,
        unread=frozenset(unread),
    )


def new_generation(item: OrchestrationWorkItem, now: datetime, execution_id: str, unread: Collection[int] = ()) -> Decision:
    """The generation that an item is about continues as new."""
    at = timestamp(now)
    again = OrchestrationInstance(instance_id=item.instance_id, execution_id=execution_id)
    started = ExecutionStarted(orchestration_instance=again, name="chain", input=f'"{execution_id}"', is_played=True, timestamp=at)
    return Decision(
        execution_id=execution_id,
        new_events=(OrchestratorStarted(timestamp=at), started, OrchestratorCompleted(timestamp=at)),
        replaces_history=True,
        unread=frozenset(unread),
    )


def nothing(*, unread: Collection[int] = ()) -> Decision:
    """What was read is consumed, and that is all."""
    return Decision(execution_id="", unread=frozenset(unread))


def next_task_id(item: OrchestrationWorkItem) -> int:
    """The id of the next task of that generation."""
    return 1 + next((event.event_id for event in reversed(item.history) if event.event_id >= 0), -1)


def call(item: OrchestrationWorkItem, task_id: int, name: str, now: datetime, input: str | None = None) -> tuple[HistoryEvent, TaskMessage]:
    """Ask for an activity."""
    scheduled = TaskScheduled(name=name, input=input, event_id=task_id, timestamp=timestamp(now))
    message = TaskMessage(event=scheduled, target=me(item), sender=me(item), episode=1, sender_tags={})
    return msgspec.structs.replace(scheduled, input=None), message


def timer(item: OrchestrationWorkItem, task_id: int, fire_at: datetime, now: datetime) -> tuple[HistoryEvent, TaskMessage]:
    """Ask for a timer."""
    due, at = timestamp(fire_at), timestamp(now)
    fired = TaskMessage(event=TimerFired(timer_id=task_id, fire_at=due, timestamp=at), target=me(item), sender=me(item), episode=1)
    return TimerCreated(fire_at=due, event_id=task_id, timestamp=at), fired


def child(item: OrchestrationWorkItem, task_id: int, instance_id: str, now: datetime) -> tuple[HistoryEvent, TaskMessage]:
    """Ask for a child."""
    parent = ParentInstance(name="chain", orchestration_instance=me(item), task_schedule_id=task_id, version=None)
    message = start(instance_id, now, f"{instance_id}-e1", parent=parent)
    created = SubOrchestrationInstanceCreated(name="chain", instance_id=instance_id, event_id=task_id, timestamp=timestamp(now))
    return created, msgspec.structs.replace(message, sender=me(item), episode=1, sender_tags={})


def child_completed(item: OrchestrationWorkItem, now: datetime, result: str) -> TaskMessage:
    """A child's report to its parent."""
    parent = _parent(item)
    event = SubOrchestrationInstanceCompleted(task_scheduled_id=parent.task_schedule_id, result=result, timestamp=timestamp(now))
    return TaskMessage(event=event, target=parent.orchestration_instance, sender=me(item), episode=1)


def child_failed(item: OrchestrationWorkItem, now: datetime, reason: str) -> TaskMessage:
    """A child's report of its failure to its parent."""
    parent = _parent(item)
    event = SubOrchestrationInstanceFailed(task_scheduled_id=parent.task_schedule_id, reason=reason, timestamp=timestamp(now))
    return TaskMessage(event=event, target=parent.orchestration_instance, sender=me(item), episode=1)


def _parent(item: OrchestrationWorkItem) -> ParentInstance:
    started = (message.event for message in item.messages)
    return next(event.parent_instance for event in started if isinstance(event, ExecutionStarted) and event.parent_instance)


def answer(item: ActivityWorkItem, now: datetime, result: str | None = None) -> TaskMessage:
    """The activity's result."""
    done = TaskCompleted(task_scheduled_id=item.message.event.event_id, result=result, timestamp=timestamp(now))
    return TaskMessage(event=done, target=item.message.target, sender=item.message.target, episode=1)


def failure(item: ActivityWorkItem, now: datetime, reason: str) -> TaskMessage:
    """The activity's failure."""
    failed = TaskFailed(task_scheduled_id=item.message.event.event_id, reason=reason, timestamp=timestamp(now))
    return TaskMessage(event=failed, target=item.message.target, sender=item.message.target, episode=1)


def kinds(events: Sequence[HistoryEvent]) -> list[str]:
    """DurableTask's names of the events."""
    return [type(event).__name__ for event in events]
