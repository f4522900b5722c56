"""A hand-written stand-in for the core: one activity, then done. Enough to move a hub's messages, history and rows."""

from __future__ import annotations

import uuid
from datetime import datetime, timezone

import msgspec

from linarite.durable.decision import Decision
from linarite.durable.events import (
    ExecutionCompleted,
    ExecutionStarted,
    HistoryEvent,
    OrchestrationInstance,
    OrchestratorCompleted,
    OrchestratorStarted,
    Status,
    TaskCompleted,
    TaskScheduled,
)
from linarite.durable.messages import TaskMessage
from linarite.taskhub.protocol import ActivityWorkItem, OrchestrationWorkItem
from linarite.timestamps import timestamp

NOBODY: frozenset[Status] = frozenset()
FINISHED = frozenset(status for status in Status if status.is_terminal)


def now() -> str:
    return timestamp(datetime.now(timezone.utc))


def start(instance_id: str, input: str | None = '"in"', *, name: str = "Main", due: str | None = None) -> TaskMessage:
    target = OrchestrationInstance(instance_id=instance_id, execution_id=uuid.uuid4().hex)
    event = ExecutionStarted(orchestration_instance=target, name=name, version="", input=input, scheduled_start_time=due, timestamp=now())
    return TaskMessage(event=event, target=target)


def to(instance_id: str, event: HistoryEvent, execution_id: str | None = None) -> TaskMessage:
    return TaskMessage(event=event, target=OrchestrationInstance(instance_id=instance_id, execution_id=execution_id))


def generation(item: OrchestrationWorkItem) -> str:
    """The execution id of the item's start, in its history or among its messages."""
    events = [*item.history, *(message.event for message in item.messages)]
    return next(e.orchestration_instance.execution_id for e in events if isinstance(e, ExecutionStarted)) or ""


def episode(item: OrchestrationWorkItem, *events: HistoryEvent, **decision: object) -> Decision:
    """An episode that takes in all messages and adds `events`."""
    read = [msgspec.structs.replace(message.event, is_played=True) for message in item.messages]
    new = (OrchestratorStarted(timestamp=now()), *read, *events, OrchestratorCompleted(timestamp=now()))
    return Decision(generation(item), new_events=new, **decision)  # type: ignore[arg-type]


def ask(item: OrchestrationWorkItem, task_id: int = 0, input: str = '["x"]') -> Decision:
    """Schedule an activity."""
    me = OrchestrationInstance(instance_id=item.instance_id, execution_id=generation(item))
    event = TaskScheduled(name="Work", event_id=task_id, input=input, timestamp=now())
    request = TaskMessage(event=event, target=me, sender=me, episode=1, sender_tags={})
    kept = msgspec.structs.replace(event, input=None)
    return episode(item, kept, outbound=(request,))


def finish(item: OrchestrationWorkItem, result: str = '"out"', task_id: int = 1) -> Decision:
    """Complete the instance."""
    done = ExecutionCompleted(orchestration_status=Status.COMPLETED, result=result, event_id=task_id, timestamp=now())
    return episode(item, done)


def answer(item: ActivityWorkItem, result: str = '"done"') -> TaskMessage:
    assert isinstance(item.message.event, TaskScheduled)
    event = TaskCompleted(task_scheduled_id=item.message.event.event_id, result=result, timestamp=now())
    return TaskMessage(event=event, target=item.message.target, sender=item.message.target, episode=item.message.episode)
