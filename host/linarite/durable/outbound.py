"""What asking for a task leaves behind: an event in the history and a message on its way.

Source: DurableTask.Core, TaskOrchestrationDispatcher.Process…Action; durable-extension, DurableOrchestrationContext.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from linarite.durable.actions import CallActivity, CallEntity, CallSubOrchestration, CreateTimer, SendEvent
from linarite.durable.entity_messages import (
    REQUEST,
    UNSTAMPED,
    Request,
    Stamps,
    request_id,
    scheduled_name,
    to_text,
    type_name,
    with_offset,
)
from linarite.durable.events import (
    EventRaised,
    EventSent,
    ExecutionCompleted,
    ExecutionStarted,
    HistoryEvent,
    OrchestrationInstance,
    ParentInstance,
    Status,
    SubOrchestrationInstanceCompleted,
    SubOrchestrationInstanceCreated,
    SubOrchestrationInstanceFailed,
    TaskScheduled,
    TimerCreated,
    TimerFired,
)
from linarite.durable.messages import FIRE_AND_FORGET, TaskMessage
from linarite.durable.numbering import Task
from linarite.timestamps import Timestamp


@dataclass(frozen=True, slots=True)
class Sender:
    """The generation that asks, in one episode.

    `episode`: the episode's number. `clock`: its time. `stamps`: what was sent to entities. `new_id` makes 32 random hex digits.
    """

    started: ExecutionStarted
    episode: int
    clock: Timestamp
    stamps: Stamps
    stores_inputs: bool
    default_version: str | None
    new_id: Callable[[], str]

    @property
    def me(self) -> OrchestrationInstance:
        return self.started.orchestration_instance

    def ask(self, task: Task, now: Timestamp) -> tuple[HistoryEvent, TaskMessage]:
        """The event and the message of one task."""
        match task.action:
            case CallActivity():
                return self._activity(task.id, task.action, now)
            case CreateTimer(fire_at=due):
                created = TimerCreated(fire_at=due, event_id=task.id, timestamp=now)
                return created, self._to(self.me, TimerFired(timer_id=task.id, fire_at=due, timestamp=now))
            case CallSubOrchestration():
                return self._child(task.id, task.action, now)
            case SendEvent(instance_id=target, name=name, input=text):
                return self._event(task.id, target, name, text, now)
            case CallEntity():
                return self._request(task.id, task.action, now)

    def _to(self, target: OrchestrationInstance, event: HistoryEvent, with_tags: bool = False) -> TaskMessage:
        tags = (self.started.tags or {}) if with_tags else None
        return TaskMessage(event=event, target=target, sender=self.me, episode=self.episode, sender_tags=tags)

    def _activity(self, task_id: int, action: CallActivity, now: Timestamp) -> tuple[HistoryEvent, TaskMessage]:
        scheduled = TaskScheduled(name=action.name, input=action.input, event_id=task_id, timestamp=now)
        return self._recorded(scheduled), self._to(self.me, scheduled, with_tags=True)

    def _recorded(self, event: HistoryEvent) -> HistoryEvent:
        """The history's copy; inputs are kept there only on demand."""
        return event if self.stores_inputs else msgspec.structs.replace(event, input=None)

    def _child(self, task_id: int, action: CallSubOrchestration, now: Timestamp) -> tuple[HistoryEvent, TaskMessage]:
        child = OrchestrationInstance(instance_id=action.instance_id or f"{self.me.execution_id}:{task_id}", execution_id=self.new_id())
        version = self.default_version if action.version is None else action.version
        inherited = {name: value for name, value in (self.started.tags or {}).items() if name != FIRE_AND_FORGET}
        tags = {**inherited, **(action.tags or {})} or None
        created = SubOrchestrationInstanceCreated(
            name=action.name, version=version, instance_id=child.instance_id, input=action.input, tags=tags, event_id=task_id, timestamp=now
        )
        parent = ParentInstance(
            name=self.started.name, orchestration_instance=self.me, task_schedule_id=task_id, version=self.started.version
        )
        started = ExecutionStarted(
            orchestration_instance=child,
            parent_instance=parent,
            name=action.name,
            version=version,
            input=action.input,
            tags=tags,
            timestamp=now,
        )
        return self._recorded(created), self._to(child, started, with_tags=True)

    def _event(self, task_id: int, target: str, name: str, text: str | None, now: Timestamp) -> tuple[HistoryEvent, TaskMessage]:
        sent = EventSent(instance_id=target, name=name, input=text, event_id=task_id, timestamp=now)
        return sent, self._to(OrchestrationInstance(instance_id=target), EventRaised(name=name, input=text, timestamp=now))

    def _request(self, task_id: int, action: CallEntity, now: Timestamp) -> tuple[HistoryEvent, TaskMessage]:
        execution_id = self.me.execution_id or ""
        stamp, predecessor = (UNSTAMPED, UNSTAMPED) if action.due else self.stamps.next(action.instance_id, self.clock)
        request = Request(
            type=type_name("RequestMessage"),
            op=action.operation,
            signal=action.is_signal,
            input=action.input,
            id=request_id(execution_id, task_id),
            parent=self.me.instance_id,
            parent_execution=execution_id,
            due=action.due,
            stamp=stamp,
            predecessor=predecessor,
            request_time=with_offset(now),
        )
        name = scheduled_name(action.due, now) if action.due else REQUEST
        return self._event(task_id, action.instance_id, name, to_text(request), now)

    def report(self, completed: ExecutionCompleted, details: str | None) -> TaskMessage | None:
        """What the parent, if there is one that waits, is told about the end. `details` accompany a failure's text."""
        parent = self.started.parent_instance
        if parent is None or FIRE_AND_FORGET in (self.started.tags or {}):
            return None
        now = completed.timestamp
        event: HistoryEvent
        if completed.orchestration_status is Status.COMPLETED:
            event = SubOrchestrationInstanceCompleted(task_scheduled_id=parent.task_schedule_id, result=completed.result, timestamp=now)
        else:
            event = SubOrchestrationInstanceFailed(
                task_scheduled_id=parent.task_schedule_id,
                reason=completed.result,
                details=details,
                failure_details=completed.failure_details,
                timestamp=now,
            )
        return self._to(parent.orchestration_instance, event)
