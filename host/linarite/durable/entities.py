"""One turn of an entity: its scheduler, from the messages that came to the generation that replaces the one before.

An entity is stored like an orchestration that continues as new after every batch: its input is the scheduler's state, its custom
status says whether it exists. Pure, like turn.py: the generator yields the batch to run and is sent what came of it.
Source: durable-extension, EntityScheduler (EntityMiddleware, SchedulerState).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import msgspec

from linarite.durable.decision import Decision
from linarite.durable.delivery import same_id
from linarite.durable.entity_messages import (
    RELEASE,
    REQUEST,
    Release,
    Request,
    Response,
    scheduled_name,
    to_text,
    type_name,
)
from linarite.durable.events import (
    EventRaised,
    ExecutionCompleted,
    ExecutionStarted,
    ExecutionTerminated,
    HistoryEvent,
    OrchestrationInstance,
    OrchestratorCompleted,
    OrchestratorStarted,
    Status,
)
from linarite.durable.messages import TaskMessage
from linarite.durable.sorter import Sorter
from linarite.settings import DurableSettings
from linarite.timestamps import Timestamp, moment

T = TypeVar("T")

CONTINUE = "continue"
LOCKED = "Lock Acquisition Completed"

_SOON = timedelta(milliseconds=100)


class SchedulerState(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Everything that is kept of an entity; the stored form of its input."""

    exists: bool = False
    state: str | None = None
    queue: list[Request] = []
    locked_by: str | None = msgspec.field(name="lockedBy", default=None)
    suspended: bool = False
    sorter: Sorter = msgspec.field(default_factory=lambda: Sorter())  # written even when empty


class EntityStatus(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is told of an entity without its state; the custom status of its instance."""

    entity_exists: bool = msgspec.field(name="entityExists", default=False)
    queue_size: int = msgspec.field(name="queueSize", default=0)
    locked_by: str | None = msgspec.field(name="lockedBy", default=None)


@dataclass(frozen=True, slots=True)
class Batch:
    """Operations to run on one entity, in order."""

    name: str
    key: str
    exists: bool
    state: str | None
    operations: tuple[Request, ...]


@dataclass(frozen=True, slots=True)
class Signal:
    """What an operation tells another entity. `input` is the request's text."""

    target: str
    operation: str
    input: str | None


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one operation: JSON text, or an error's."""

    text: str | None
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class BatchReply:
    """What came of a batch, one result for each operation, and when."""

    exists: bool
    state: str | None
    results: tuple[Result, ...]
    signals: tuple[Signal, ...]
    at: Timestamp


EntityTurn = Generator[Batch, BatchReply, Decision]


def take_entity_turn(
    instance_id: str,
    history: Sequence[HistoryEvent],
    messages: Sequence[TaskMessage],
    now: Timestamp,
    new_id: Callable[[], str],
    settings: DurableSettings,
) -> EntityTurn:
    """The turn of the entity with this id; it comes into being with its first message."""
    started = next((event for event in history if isinstance(event, ExecutionStarted)), None)
    if any(isinstance(event, ExecutionCompleted) for event in history):
        return Decision(execution_id=_execution_id(started))
    events = [message.event for message in messages if not message.target.execution_id or _is_for(message, started)]
    if started is None and not any(isinstance(event, EventRaised) for event in events):
        return Decision(execution_id="")
    turn = _Turn(instance_id, started, history, now, new_id, settings)
    for event in events:
        if isinstance(event, ExecutionTerminated):
            return turn.terminated(event, history)
        if isinstance(event, EventRaised):
            turn.take_in(event)
    yield from turn.run()
    return turn.decision()


def _execution_id(started: ExecutionStarted | None) -> str:
    return (started.orchestration_instance.execution_id or "") if started else ""


def _is_for(message: TaskMessage, started: ExecutionStarted | None) -> bool:
    return same_id(message.target.execution_id, _execution_id(started))


class _Turn:
    """The scheduler at work, and what it has to say."""

    def __init__(
        self,
        instance_id: str,
        started: ExecutionStarted | None,
        history: Sequence[HistoryEvent],
        now: Timestamp,
        new_id: Callable[[], str],
        settings: DurableSettings,
    ) -> None:
        stored = started.input if started else None
        self._state = msgspec.json.decode(stored, type=SchedulerState) if stored else SchedulerState()
        self._me = started.orchestration_instance if started else OrchestrationInstance(instance_id=instance_id, execution_id=new_id())
        self._started = started
        self._episode = 1 + sum(isinstance(event, OrchestratorStarted) for event in history)
        self._now = now
        self._new_id = new_id
        self._settings = settings
        self._outbound: list[TaskMessage] = []
        self._from_holder: list[Request] = []

    def take_in(self, event: EventRaised) -> None:
        """Queue what an event asks for."""
        if event.name.startswith(REQUEST):
            request = _decoded(event.input, Request)
            if request is not None:
                self._take_request(request)
        elif event.name == RELEASE:
            release = _decoded(event.input, Release)
            if release is not None and release.parent == self._state.locked_by:
                self._state.locked_by = None
        else:
            self._state.suspended = False

    def _take_request(self, request: Request) -> None:
        if request.due is None:
            for ready in self._state.sorter.receive(request, self._settings.entity_reorder_window_s):
                self._enqueue(ready)
        elif moment(request.due) > moment(self._now) + _SOON:
            self._send(self._me.instance_id, scheduled_name(request.due, self._now), to_text(request))
        else:
            self._enqueue(request)

    def _enqueue(self, request: Request) -> None:
        if self._state.locked_by is not None and self._state.locked_by == request.parent:
            self._from_holder.append(request)
        else:
            self._state.queue.append(request)

    def run(self) -> Generator[Batch, BatchReply, None]:
        """Run what may run, then grant a lock if one is next."""
        self._state.queue[:0] = self._from_holder
        operations, lock = self._next_batch()
        if operations:
            name, _, key = self._me.instance_id[1:].partition("@")
            reply = yield Batch(name, key, self._state.exists, self._state.state, tuple(operations))
            self._now = reply.at
            self._state.exists, self._state.state = reply.exists, reply.state
            for request, result in zip(operations, reply.results, strict=True):
                self._respond(request, result)
            for signal in reply.signals:
                self._signal(signal)
        if lock is not None:
            self._grant(lock)

    def _next_batch(self) -> tuple[list[Request], Request | None]:
        """The operations at the head of the queue, and the lock request that ended them, if one did."""
        operations: list[Request] = []
        queue = self._state.queue
        while queue and not self._state.suspended and self._state.locked_by in (None, queue[0].parent):
            if len(operations) == self._settings.max_entity_batch:
                self._send(self._me.instance_id, CONTINUE, None)
                break
            request = queue.pop(0)
            if request.lockset is not None:
                return operations, request
            operations.append(request)
        return operations, None

    def _respond(self, request: Request, result: Result) -> None:
        if request.signal or request.parent is None:
            return
        response = Response(type=type_name("ResponseMessage"), result=result.text, exception_type="Error" if result.is_error else None)
        self._send(request.parent, request.id, to_text(response), request.parent_execution)

    def _signal(self, signal: Signal) -> None:
        stamp, predecessor = self._state.sorter.stamp(signal.target, self._now, self._settings.entity_reorder_window_s)
        request = Request(
            type=type_name("RequestMessage"),
            op=signal.operation,
            signal=True,
            input=signal.input,
            id=str(uuid.UUID(self._new_id())),
            parent=self._me.instance_id,
            stamp=stamp,
            predecessor=predecessor,
        )
        self._send(signal.target, REQUEST, to_text(request))

    def _grant(self, request: Request) -> None:
        """Lock for who asks, and pass the request on to the next entity of its set, or tell that all are locked."""
        self._state.locked_by = request.parent
        lockset = request.lockset or ()
        following = request.pos + 1
        if following < len(lockset):
            entity = lockset[following]
            passed_on = msgspec.structs.replace(request, pos=following)
            self._send(f"@{entity.name}@{entity.key}", REQUEST, to_text(passed_on))
        elif request.parent is not None:
            response = Response(type=type_name("ResponseMessage"), result=LOCKED)
            self._send(request.parent, request.id, to_text(response), request.parent_execution)

    def _send(self, target: str, name: str, text: str | None, execution_id: str | None = None) -> None:
        event = EventRaised(name=name, input=text, timestamp=self._now)
        addressee = OrchestrationInstance(instance_id=target, execution_id=execution_id)
        self._outbound.append(TaskMessage(event=event, target=addressee, sender=self._me, episode=self._episode))

    def decision(self) -> Decision:
        """The next generation, which replaces this one."""
        me = OrchestrationInstance(instance_id=self._me.instance_id, execution_id=self._new_id())
        started = ExecutionStarted(
            orchestration_instance=me,
            name=me.instance_id,
            version="",
            input=msgspec.json.encode(self._state).decode(),
            tags=self._started.tags if self._started else None,
            is_played=True,
            timestamp=self._now,
        )
        status = EntityStatus(entity_exists=self._state.exists, queue_size=len(self._state.queue), locked_by=self._state.locked_by)
        return Decision(
            execution_id=me.execution_id or "",
            new_events=(
                OrchestratorStarted(timestamp=self._now),
                started,
                OrchestratorCompleted(is_played=True, timestamp=self._now),
            ),
            replaces_history=True,
            outbound=tuple(self._outbound),
            custom_status=msgspec.json.encode(status).decode(),
        )

    def terminated(self, event: ExecutionTerminated, history: Sequence[HistoryEvent]) -> Decision:
        """Someone ended the entity's instance: nothing more is done."""
        ended = ExecutionCompleted(orchestration_status=Status.TERMINATED, result=event.input, event_id=0, timestamp=self._now)
        first = (
            ()
            if history
            else (ExecutionStarted(orchestration_instance=self._me, name=self._me.instance_id, version="", timestamp=self._now),)
        )
        return Decision(
            execution_id=self._me.execution_id or "",
            new_events=(
                OrchestratorStarted(timestamp=self._now),
                *first,
                msgspec.structs.replace(event, is_played=True),
                ended,
                OrchestratorCompleted(timestamp=self._now),
            ),
        )


def _decoded(text: str | None, kind: type[T]) -> T | None:
    """The message of that text; None if it is none, which is nobody's to mend."""
    try:
        return msgspec.json.decode(text or "", type=kind)
    except msgspec.DecodeError:
        return None
