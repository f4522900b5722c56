"""Task messages: an event on its way to an instance or to whoever runs activities.

Where a message goes and when it may be seen are rules of the event it carries; they live here, so that no hub asks.
Source: DurableTask.AzureStorage, MessageManager and GetControlQueueAsync; durable-entities event names.
"""

from __future__ import annotations

import contextlib

import msgspec

from linarite.durable.events import (
    EventRaised,
    ExecutionStarted,
    HistoryEvent,
    OrchestrationInstance,
    TaskScheduled,
    TimerFired,
)
from linarite.timestamps import Timestamp, moment, timestamp

ENTITY_PREFIX = "@"
"""Instance ids of entities begin with it; no orchestration's may."""

FIRE_AND_FORGET = "FireAndForget"
"""Tag of a child that its parent does not wait for and that does not report back; its value says nothing."""


class TaskMessage(msgspec.Struct, frozen=True, kw_only=True):
    """An event and its addressee.

    `target`: the instance addressed; without execution id it is for whichever generation is current. `sender`: who caused the
    message, None for a client. `episode`: the sender's episode number (diagnostic). `sender_tags`: the sending instance's tags,
    on activity requests and child starts only.
    """

    event: HistoryEvent
    target: OrchestrationInstance
    sender: OrchestrationInstance | None = None
    episode: int | None = None
    sender_tags: dict[str, str] | None = None

    @property
    def is_activity_request(self) -> bool:
        """It goes to the work-item queue; everything else goes to the target's control queue."""
        return isinstance(self.event, TaskScheduled)

    @property
    def starts_generation(self) -> bool:
        """It begins a generation of its target, and so never joins messages that wait for another one."""
        return isinstance(self.event, ExecutionStarted)

    @property
    def is_client_start(self) -> bool:
        """A client's start, which the instance's row has to confirm; a child's start needs no row."""
        return isinstance(self.event, ExecutionStarted) and self.event.parent_instance is None

    @property
    def is_child_start(self) -> bool:
        """A parent's order to begin a child, which may be given twice."""
        return isinstance(self.event, ExecutionStarted) and self.event.parent_instance is not None

    @property
    def due_at(self) -> Timestamp | None:
        """Not to be delivered before; None for at once."""
        match self.event:
            case TimerFired(fire_at=due):
                return due
            case ExecutionStarted(scheduled_start_time=due):
                return due
            case EventRaised(name=name) if is_entity(self.target.instance_id) and name[2:3] == "@":
                with contextlib.suppress(ValueError):  # then it is merely an odd name
                    return timestamp(moment(name[3:]))
        return None


def is_entity(instance_id: str) -> bool:
    """Whether the id is an entity's (`@name@key`)."""
    return instance_id.startswith(ENTITY_PREFIX)
