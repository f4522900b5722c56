"""What of a work item goes into this episode.

Answers that wait are delivered together, so that a wide fan-out stays cheap, except those that take task ids (numbering.py): each of
these goes into an episode of its own. Which they are is known from the actions of the episode before; when it is not (a new host),
every failure and every fired timer is taken for one, which is always right and only slower.
Source: DurableTask.Core, TaskOrchestrationDispatcher.ReconcileMessagesWithState; DurableTask.AzureStorage, IsExecutableInstance.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from linarite.durable.decision import Decision
from linarite.durable.delivery import same_id
from linarite.durable.events import (
    EventRaised,
    EventSent,
    ExecutionCompleted,
    ExecutionResumed,
    ExecutionStarted,
    ExecutionSuspended,
    ExecutionTerminated,
    HistoryEvent,
    OrchestratorCompleted,
    OrchestratorStarted,
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
from linarite.durable.instances import InstanceUpdate
from linarite.durable.messages import TaskMessage
from linarite.timestamps import Timestamp, later, seven_digits

Answer = TaskCompleted | TaskFailed | SubOrchestrationInstanceCompleted | SubOrchestrationInstanceFailed | TimerFired | EventRaised

Question = TaskScheduled | SubOrchestrationInstanceCreated | TimerCreated | EventSent


@dataclass(frozen=True, slots=True)
class Plan:
    """An episode about to be: the committed events, and those it begins with. `unread`: positions of messages that wait."""

    started: ExecutionStarted
    past: Sequence[HistoryEvent]
    new: tuple[HistoryEvent, ...]
    unread: frozenset[int]
    is_suspended: bool
    terminated: ExecutionTerminated | None

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do: nothing may be delivered now, and no commit was cut short that has to be made good."""
        return len(self.new) == 1 and (not self.past or isinstance(self.past[-1], OrchestratorCompleted))


def plan(
    history: Sequence[HistoryEvent], messages: Sequence[TaskMessage], solo_ids: Collection[int] | None, now: Timestamp
) -> Plan | Decision:
    """The episode these messages lead to, or the decision where none is needed: nobody there, or over already.

    `solo_ids`: the tasks whose failure or firing takes an id, None if that is not known.
    """
    started = _started(history) or _start_among(messages)
    if started is None:
        return _nobody(messages, now)
    execution_id = started.orchestration_instance.execution_id or ""
    if any(isinstance(event, ExecutionCompleted) for event in history):
        return Decision(execution_id=execution_id)
    was_suspended = _is_suspended(history)
    mine = _new_to([(at, message.event) for at, message in enumerate(messages) if _is_for(message, execution_id)], history)
    is_suspended = _is_suspended([event for _, event in mine], was_suspended)
    taken, unread = _pick(mine, solo_ids, may_go_alone=not (was_suspended or is_suspended))
    first = () if history else (started,)
    begun = OrchestratorStarted(timestamp=_not_before_the_last(history, now))
    terminated = next((event for event in taken if isinstance(event, ExecutionTerminated)), None)
    return Plan(
        started=started,
        past=history,
        new=(begun, *first, *taken),
        unread=frozenset() if terminated else unread,
        is_suspended=is_suspended,
        terminated=terminated,
    )


def execution_id_of(history: Sequence[HistoryEvent], messages: Sequence[TaskMessage]) -> str | None:
    """The generation a work item is about; None if there is no instance."""
    started = _started(history) or _start_among(messages)
    return started.orchestration_instance.execution_id if started else None


def _start_among(messages: Sequence[TaskMessage]) -> ExecutionStarted | None:
    return next((message.event for message in messages if isinstance(message.event, ExecutionStarted)), None)


def _started(history: Sequence[HistoryEvent]) -> ExecutionStarted | None:
    return next((event for event in history if isinstance(event, ExecutionStarted)), None)


def _nobody(messages: Sequence[TaskMessage], now: Timestamp) -> Decision:
    """No such instance, or no longer such a generation: the messages go away.

    Those for whichever generation is current stay if they only came along with others for one that is not. An instance that is
    terminated before it started has a row, which learns of it.
    """
    general = frozenset(at for at, message in enumerate(messages) if not message.target.execution_id)
    if len(general) < len(messages):
        return Decision(execution_id="", unread=general)
    for message in messages:
        if isinstance(message.event, ExecutionTerminated):
            row = InstanceUpdate(
                status=Status.TERMINATED, last_updated_at=message.event.timestamp, completed_at=now, output=message.event.input
            )
            return Decision(execution_id="", row=row)
    return Decision(execution_id="")


def _is_for(message: TaskMessage, execution_id: str) -> bool:
    """Whether the message concerns this generation. A start is no message to it: the first one made it, others repeat it."""
    addressed = message.target.execution_id
    return not isinstance(message.event, ExecutionStarted) and (not addressed or same_id(addressed, execution_id))


def _new_to(events: Sequence[tuple[int, HistoryEvent]], history: Sequence[HistoryEvent]) -> list[tuple[int, HistoryEvent]]:
    """The events without second answers to one task, and without answers to another one that had its id.

    Whoever asks or answers may die before it is written down, and then does so again; and may ask for something else under that id, if
    messages then come in another order. What a commit left that was itself cut short does not count: its episode has to be run again.
    """
    whole = next((at for at in range(len(history), 0, -1) if isinstance(history[at - 1], OrchestratorCompleted)), 0)
    answered = {_answered_id(event) for event in history[:whole]}
    asked = _questions({_answered_id(event) for _, event in events}, history)
    kept = []
    for at, event in events:
        task_id = _answered_id(event)
        if task_id is None or (task_id not in answered and _fits(event, asked.get(task_id))):
            kept.append((at, event))
            answered.add(task_id)
    return kept


def _answered_id(event: HistoryEvent) -> int | None:
    """The task that an event answers."""
    match event:
        case TaskCompleted() | TaskFailed() | SubOrchestrationInstanceCompleted() | SubOrchestrationInstanceFailed():
            return event.task_scheduled_id
        case TimerFired():
            return event.timer_id
    return None


def _questions(task_ids: Collection[int | None], history: Sequence[HistoryEvent]) -> dict[int, HistoryEvent]:
    """What was asked for under these ids, as far as it is known."""
    return {event.event_id: event for event in history if event.event_id in task_ids and isinstance(event, Question)}


def _fits(answer: HistoryEvent, question: HistoryEvent | None) -> bool:
    """Whether that may be the answer to that."""
    match answer:
        case _ if question is None:
            return True
        case TaskCompleted() | TaskFailed():
            return isinstance(question, TaskScheduled)
        case SubOrchestrationInstanceCompleted() | SubOrchestrationInstanceFailed():
            return isinstance(question, SubOrchestrationInstanceCreated)
        case TimerFired(fire_at=due):
            return isinstance(question, TimerCreated) and seven_digits(question.fire_at) == seven_digits(due)
    return True


def _is_suspended(events: Sequence[HistoryEvent], before: bool = False) -> bool:
    for event in reversed(events):
        if isinstance(event, ExecutionSuspended | ExecutionResumed):
            return isinstance(event, ExecutionSuspended)
    return before


def _pick(
    events: Sequence[tuple[int, HistoryEvent]], solo_ids: Collection[int] | None, may_go_alone: bool
) -> tuple[list[HistoryEvent], frozenset[int]]:
    """The events to deliver, and the positions of those that wait.

    While suspended no episode runs, so what arrives is only written down. An answer that takes an id must not be: its number could
    no longer be told once others had been written before it. The same holds for the episode that is the first after a suspension.
    """
    taken: list[HistoryEvent] = []
    waiting: list[int] = []
    answers = 0
    is_full = False
    for at, event in events:
        if not isinstance(event, Answer):
            taken.append(event)
        elif _takes_an_id(event, solo_ids):
            if may_go_alone and not answers:
                taken.append(event)
                answers += 1
            else:
                waiting.append(at)
            is_full = may_go_alone
        elif is_full:
            waiting.append(at)
        else:
            taken.append(event)
            answers += 1
    return taken, frozenset(waiting)


def _takes_an_id(event: HistoryEvent, solo_ids: Collection[int] | None) -> bool:
    match event:
        case TaskFailed(task_scheduled_id=task_id) | SubOrchestrationInstanceFailed(task_scheduled_id=task_id):
            return solo_ids is None or task_id in solo_ids
        case TimerFired(timer_id=task_id):
            return solo_ids is None or task_id in solo_ids
    return False


def _not_before_the_last(history: Sequence[HistoryEvent], now: Timestamp) -> Timestamp:
    """The episode's time: an orchestrator's clock never goes back."""
    last = next((event.timestamp for event in reversed(history) if isinstance(event, OrchestratorStarted)), now)
    return later(now, last)
