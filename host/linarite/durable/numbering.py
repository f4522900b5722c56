"""Which task id belongs to which action: the contract on which replay rests.

An SDK numbers its tasks itself, from 0, in the order in which user code first awaits them, and never reads the host's numbers. So the
host must come to the same ones, from the history and the list of actions alone. Two kinds of id never appear in that list: the timer
that follows a failed attempt of a retried task (taken when the failure is processed) and the next attempt (taken when that timer
fires). Both are taken before user code runs on, which is why such an event is delivered in an episode of its own (plan.py).

A rewind leaves gaps: a scheduling event that became a GenericEvent. The action of such an id is simply asked for again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import timedelta

from linarite.durable.actions import Action, CallActivity, CallEntity, CallSubOrchestration, CreateTimer, RetryPolicy, SendEvent
from linarite.durable.events import (
    EventSent,
    HistoryEvent,
    OrchestratorStarted,
    SubOrchestrationInstanceCompleted,
    SubOrchestrationInstanceCreated,
    SubOrchestrationInstanceFailed,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    TimerCreated,
    TimerFired,
)
from linarite.durable.messages import FIRE_AND_FORGET
from linarite.timestamps import Timestamp, later, moment, seven_digits, timestamp

Numbered = CallActivity | CallSubOrchestration | CreateTimer | SendEvent | CallEntity
Scheduling = TaskScheduled | TimerCreated | SubOrchestrationInstanceCreated | EventSent
Failed = TaskFailed | SubOrchestrationInstanceFailed
Completed = TaskCompleted | SubOrchestrationInstanceCompleted

_KINDS: dict[type[Scheduling], tuple[type[Numbered], ...]] = {
    TaskScheduled: (CallActivity,),
    TimerCreated: (CreateTimer,),
    SubOrchestrationInstanceCreated: (CallSubOrchestration,),
    EventSent: (SendEvent, CallEntity),
}
_SPOKEN = {
    TaskScheduled: "an activity task",
    TimerCreated: "a timer task",
    SubOrchestrationInstanceCreated: "a sub-orchestration task",
    EventSent: "a send event task",
}
_CHANGED = "Was a change made to the orchestrator code after this instance had already started running?"


class NonDeterministic(Exception):
    """The actions do not repeat what the history says was asked for. `row` is the history's position, from 0.

    `task_id` is the id of the task that was found, None without one; `calls` the activity or orchestrator that it calls.
    """

    def __init__(self, event: Scheduling, row: int, found: Task | None) -> None:
        super().__init__(f"Non-Deterministic workflow detected: {_complaint(event, found)}")
        self.row = row
        self.recorded = f"{type(event).__name__} {_name_of(event)!r} (task {event.event_id})"
        self.found = "no action" if found is None else f"{type(found.action).__name__} {_name_of(found.action)!r}"
        self.task_id = None if found is None else found.id
        self.calls = found.action.name if found is not None and isinstance(found.action, CallActivity | CallSubOrchestration) else ""


class Task:
    """One numbered task. `retry` is the retried action it serves, and `attempt` counts that action's attempts from 1."""

    __slots__ = ("action", "attempt", "id", "is_completed", "is_scheduled", "retry")

    def __init__(self, action: Numbered, retry: CallActivity | CallSubOrchestration | None = None, attempt: int = 1) -> None:
        self.id = -1
        self.action = action
        self.retry = retry
        self.attempt = attempt
        self.is_scheduled = False
        self.is_completed = False

    @property
    def is_outstanding(self) -> bool:
        """Whether an answer is owed without which the instance may not end."""
        match self.action:
            case CreateTimer(is_canceled=True) | SendEvent() | CallEntity():
                return False
            case CallSubOrchestration(tags=tags) if tags and FIRE_AND_FORGET in tags:
                return False
        return not self.is_completed

    @property
    def takes_id_when_answered(self) -> bool:
        """Whether its failure, or its firing, takes the next id before user code runs on."""
        if self.retry is None or self.is_completed:
            return False
        return self.action is self.retry or self.attempt < _policy(self.retry).max_attempts

    def fits(self, event: Scheduling) -> bool:
        """Whether that event is what this task leaves in the history; case of names does not count."""
        if not isinstance(self.action, _KINDS[type(event)]):
            return False
        name = _name_of(event).partition("@")[0] if isinstance(self.action, CallEntity) else _name_of(event)
        return isinstance(event, TimerCreated) or name.lower() == _name_of(self.action).lower()


class Ledger:
    """Reads a generation's events in order and gives every action its id."""

    def __init__(self, actions: Iterable[Action]) -> None:
        self.tasks: list[Task] = []
        self._leaves: deque[Task] = deque()
        self._owed: deque[Task] = deque()
        self._early: dict[int, HistoryEvent] = {}
        self._clock: Timestamp = "0001-01-01T00:00:00Z"
        for action in actions:
            if isinstance(action, CallActivity | CallSubOrchestration):
                self._leaves.append(Task(action, action if action.retry else None))
            elif isinstance(action, CreateTimer | SendEvent | CallEntity):
                self._leaves.append(Task(action))

    def read(self, events: Sequence[HistoryEvent]) -> None:
        """Follow all events; afterwards every action has its id. Raises NonDeterministic."""
        for row, event in enumerate(events):
            match event:
                case OrchestratorStarted(timestamp=now):
                    self._clock = later(self._clock, now)
                case TaskScheduled() | TimerCreated() | SubOrchestrationInstanceCreated() | EventSent():
                    self._scheduled(event, row)
                case TaskCompleted(task_scheduled_id=task_id) | SubOrchestrationInstanceCompleted(task_scheduled_id=task_id):
                    self._answered(task_id, event)
                case TaskFailed(task_scheduled_id=task_id) | SubOrchestrationInstanceFailed(task_scheduled_id=task_id):
                    self._answered(task_id, event)
                case TimerFired(timer_id=task_id):
                    self._answered(task_id, event)
        for waiting in (self._owed, self._leaves):
            while waiting:
                self._number(waiting)

    @property
    def to_schedule(self) -> list[Task]:
        """What was asked for and is not in the history, by id."""
        return [task for task in self.tasks if not task.is_scheduled]

    @property
    def has_outstanding(self) -> bool:
        return any(task.is_outstanding for task in self.tasks)

    @property
    def solo_ids(self) -> frozenset[int]:
        """Tasks whose failure or firing must be delivered alone."""
        return frozenset(task.id for task in self.tasks if task.takes_id_when_answered)

    def _scheduled(self, event: Scheduling, row: int) -> None:
        if event.event_id < 0:
            return
        while len(self.tasks) <= event.event_id:
            source = self._source_of(event) if len(self.tasks) == event.event_id else self._leaves or self._owed
            if not source:
                raise NonDeterministic(event, row, None)
            self._number(source)
        task = self.tasks[event.event_id]
        if not task.fits(event):
            raise NonDeterministic(event, row, task)
        task.is_scheduled = True

    def _source_of(self, event: Scheduling) -> deque[Task]:
        """Where the task behind this event waits: an attempt or timer that a failure led to, or the next action."""
        if not self._owed or not self._owed[0].fits(event):
            return self._leaves
        owed = self._owed[0].action
        if isinstance(owed, CreateTimer) and isinstance(event, TimerCreated) and self._leaves and self._leaves[0].fits(event):
            return self._owed if seven_digits(owed.fire_at) == seven_digits(event.fire_at) else self._leaves
        return self._owed

    def _number(self, source: deque[Task]) -> None:
        task = source.popleft()
        task.id = len(self.tasks)
        self.tasks.append(task)
        early = self._early.pop(task.id, None)
        if early is not None:
            self._answered(task.id, early)

    def _answered(self, task_id: int, event: HistoryEvent) -> None:
        """The first answer to a task counts. One that came before its task was known counts once it is."""
        if task_id >= len(self.tasks):
            self._early.setdefault(task_id, event)
            return
        task = self.tasks[task_id]
        if task_id < 0 or task.is_completed:
            return
        task.is_completed = True
        if task.retry is not None and isinstance(event, Failed | TimerFired):
            self._retry(task, task.retry, event)

    def _retry(self, task: Task, action: CallActivity | CallSubOrchestration, event: Failed | TimerFired) -> None:
        policy = _policy(action)
        if isinstance(event, TimerFired):
            if task.attempt < policy.max_attempts:
                self._owed.append(Task(action, action, task.attempt + 1))
            return
        self._owed.append(Task(CreateTimer(fire_at=_retry_at(self._clock, policy, task.attempt)), action, task.attempt))


def _policy(action: CallActivity | CallSubOrchestration) -> RetryPolicy:
    assert action.retry is not None
    return action.retry


def _retry_at(now: Timestamp, policy: RetryPolicy, attempt: int) -> Timestamp:
    """When to go on after a failed attempt. SDKs wait for a timer after the last one too; that one is due at once."""
    if attempt >= policy.max_attempts:
        return now
    try:
        wait_s = policy.first_interval_s * policy.backoff ** (attempt - 1)
    except OverflowError:
        wait_s = policy.max_interval_s
    return timestamp(moment(now) + timedelta(seconds=min(wait_s, policy.max_interval_s)))


def _name_of(thing: Scheduling | Numbered) -> str:
    match thing:
        case TimerCreated() | CreateTimer():
            return "timer"
        case CallEntity():
            return "op"  # a scheduled one has its time behind it
    return thing.name


def _complaint(event: Scheduling, found: Task | None) -> str:
    """The reference's own words, which users search for."""
    before = f"A previous execution of this orchestration scheduled {_SPOKEN[type(event)]} with sequence"
    named = isinstance(event, TaskScheduled | SubOrchestrationInstanceCreated | EventSent)
    if found is None:
        version = f" (version '{event.version or ''}')" if isinstance(event, TaskScheduled | SubOrchestrationInstanceCreated) else ""
        name = f" and name '{_name_of(event)}'{version}" if named else ""
        return f"{before} ID {event.event_id}{name}, but the current replay execution hasn't (yet?) scheduled this task. {_CHANGED}"
    kind = next(_SPOKEN[kind] for kind, actions in _KINDS.items() if isinstance(found.action, actions))
    name = f" named '{_name_of(event)}'" if named else ""
    instead = "" if isinstance(found.action, CreateTimer) else f" named '{_name_of(found.action)}'"
    return (
        f"{before} number {event.event_id}{name}, but the current orchestration replay instead scheduled {kind}{instead} "
        f"with this sequence number.  {_CHANGED}"
    )
