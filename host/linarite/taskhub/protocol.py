"""The port between durable work and where it is kept.

What every task hub promises, and all that anyone above may rely on:

1. A work item is delivered at least once, and to one holder at a time.
2. History moves forward once per commit, or not at all: it is the checkpoint.
3. Messages leave at least once, and may leave before the checkpoint.
4. The instance row follows history and may lag.

A hub asks nobody what kind of event it stores; see `TaskMessage` and `instance_update` for the rules it applies. Lock renewal, polling and
request retries are its private business. Errors of its storage leave it as `HubUnavailable`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from linarite.durable.decision import Decision
from linarite.durable.events import HistoryEvent, Status
from linarite.durable.instances import Instance
from linarite.durable.messages import TaskMessage
from linarite.timestamps import Timestamp


@dataclass(frozen=True, slots=True)
class OrchestrationWorkItem:
    """One instance, locked, with what has arrived for it.

    `history`: the committed events of the generation the messages address, in order; empty if there is none (a new instance, or a new
    start of an old id: the commit then replaces whatever was there). `messages`: at least one, in the order to be processed.
    `lock`: the hub's own; nobody else looks into it.
    """

    instance_id: str
    history: Sequence[HistoryEvent]
    messages: Sequence[TaskMessage]
    lock: Any = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class ActivityWorkItem:
    """One activity request (`message.event` is a TaskScheduled), locked. `delivery` counts from 1."""

    message: TaskMessage
    delivery: int
    lock: Any = field(repr=False, compare=False)


class WorkSource(Protocol):
    """Durable work for the dispatcher."""

    async def next_orchestration(self) -> OrchestrationWorkItem:
        """Wait for the next instance that has unread messages, and lock it. Cancelling the wait loses nothing."""
        ...

    async def commit(self, item: OrchestrationWorkItem, decision: Decision) -> None:
        """Checkpoint the decision and release the item.

        Raises WorkItemLockLost if someone else holds the instance by now; history is then unchanged and the messages come again.
        """
        ...

    async def abandon(self, item: OrchestrationWorkItem) -> None:
        """Release the item undecided; its messages come again after a back-off that grows with each delivery."""
        ...

    async def next_activity(self) -> ActivityWorkItem:
        """Wait for the next activity request, and lock it. Cancelling the wait loses nothing."""
        ...

    async def complete(self, item: ActivityWorkItem, answer: TaskMessage) -> None:
        """Send the answer, then forget the request."""
        ...

    async def abandon_activity(self, item: ActivityWorkItem) -> None:
        """Release the request unanswered; it comes again after a back-off."""
        ...


@dataclass(frozen=True, slots=True)
class InstanceQuery:
    """Which instances, and how many at a time. Conditions left out do not restrict. `after`: a page's continuation."""

    created_from: Timestamp | None = None
    created_to: Timestamp | None = None
    statuses: frozenset[Status] = frozenset()
    id_prefix: str | None = None
    exclude_entities: bool = False
    page_size: int = 100
    after: str | None = None
    with_input: bool = True
    with_output: bool = True


@dataclass(frozen=True, slots=True)
class Page:
    """One page of instances; only a `continuation` of None means that there are no more."""

    instances: tuple[Instance, ...]
    continuation: str | None


class HubClient(Protocol):
    """The control plane: what the management API, the dashboard and the command line ask of a hub."""

    async def create(self, start: TaskMessage, overridable: frozenset[Status]) -> None:
        """Start an instance (`start.event` is an ExecutionStarted; its generation is filled in here).

        An existing instance whose status is in `overridable` is replaced; otherwise raises InstanceExists.
        """
        ...

    async def send(self, message: TaskMessage) -> None:
        """Deliver any other message; nothing is said if there is no such instance."""
        ...

    async def instance(self, instance_id: str) -> Instance | None:
        """The instance's row, or None."""
        ...

    async def instances(self, query: InstanceQuery) -> Page:
        """One page of instances, ordered by id."""
        ...

    async def history(self, instance_id: str) -> Sequence[HistoryEvent]:
        """The events of the current generation, in order; empty if there is none."""
        ...

    async def rewind(self, instance_id: str, reason: str | None) -> None:
        """Neutralise the failures of a failed instance, and of its failed children, and wake what can go on."""
        ...

    async def purge(self, instance_id: str) -> bool:
        """Delete row, history and payloads, whatever the status; False if there was no such instance."""
        ...


class TaskHub(WorkSource, HubClient, Protocol):
    """Both halves, and a life."""

    async def start(self) -> None:
        """Create what is missing; from here on clients can be served."""
        ...

    async def start_work(self) -> None:
        """Begin to take work items; without it the hub is a client's only."""
        ...

    async def stop_work(self) -> None:
        """Take no more work; items already handed out can still be committed."""
        ...

    async def stop(self) -> None:
        """Release everything held. What was not committed comes again, here or elsewhere."""
        ...
