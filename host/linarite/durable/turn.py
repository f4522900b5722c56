"""One turn of an orchestration: from what has arrived to what must be written and sent.

A turn asks for one episode, or several: the generation that a continue-as-new begins runs at once and is committed together with the
end of the one before. It is written as a generator so that it stays pure: it yields each episode to be asked for, is sent the answer,
and returns the outcome.
Source: DurableTask.Core, TaskOrchestrationDispatcher.OnProcessWorkItemAsync; durable-extension, OutOfProcOrchestrationShim.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace

import msgspec
from msgspec import UNSET, UnsetType

from linarite.durable.actions import Answer, ContinueAsNew, Failure
from linarite.durable.checks import Refuses, action_objection, failed, status_objection, version_failure
from linarite.durable.decision import Decision
from linarite.durable.entity_messages import Stamps
from linarite.durable.event_watch import EventWatch
from linarite.durable.events import (
    EventRaised,
    ExecutionCompleted,
    ExecutionStarted,
    GenericEvent,
    HistoryEvent,
    OrchestrationInstance,
    OrchestratorCompleted,
    OrchestratorStarted,
    Status,
)
from linarite.durable.messages import TaskMessage
from linarite.durable.numbering import Ledger, NonDeterministic
from linarite.durable.outbound import Sender
from linarite.durable.plan import Plan, plan
from linarite.settings import DurableSettings
from linarite.timestamps import Timestamp, later


@dataclass(frozen=True, slots=True)
class Episode:
    """What the app is asked to replay: all of a generation's events, those already committed and those that are new."""

    started: ExecutionStarted
    past: Sequence[HistoryEvent]
    new: tuple[HistoryEvent, ...]

    @property
    def instance_id(self) -> str:
        return self.started.orchestration_instance.instance_id


@dataclass(frozen=True, slots=True)
class Reply:
    """What the app answered, and when."""

    answer: Answer
    at: Timestamp


@dataclass(slots=True)
class Knowledge:
    """What one turn leaves for the next, of the same generation. Without it everything comes out the same, more slowly and with less said.

    `solo_ids`: the tasks whose failure or firing takes an id. `watch` is None where the generation's beginning was not seen.
    """

    solo_ids: frozenset[int] | None = None
    watch: EventWatch | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A turn's end. `knowledge` is for the instance's next turn; `warnings` and `non_deterministic` for the log."""

    decision: Decision
    knowledge: Knowledge = field(default_factory=Knowledge)
    warnings: tuple[str, ...] = ()
    non_deterministic: NonDeterministic | None = None

    @property
    def is_over(self) -> bool:
        """Whether the instance has ended, or was not there."""
        events = self.decision.new_events
        return any(isinstance(event, ExecutionCompleted) for event in events) or not (events or self.decision.unread)


Turn = Generator[Episode, Reply, Outcome]


def take_turn(
    history: Sequence[HistoryEvent],
    messages: Sequence[TaskMessage],
    knowledge: Knowledge,
    now: Timestamp,
    new_id: Callable[[], str],
    settings: DurableSettings,
    refuses: Refuses,
) -> Turn:
    """The turn of an instance with this committed history, to which these messages have come.

    `refuses` says what of new actions the app cannot be asked for, which fails the instance.
    """
    planned = plan(history, messages, knowledge.solo_ids, now)
    if isinstance(planned, Decision):
        return Outcome(planned, knowledge)
    execution_id = planned.started.orchestration_instance.execution_id or ""
    if planned.is_idle:
        return Outcome(Decision(execution_id=execution_id, unread=planned.unread), knowledge)
    turn = _Turn(planned, knowledge, new_id, settings, refuses)
    if planned.terminated is not None:
        turn.complete(Status.TERMINATED, planned.terminated.input, now)
    elif not planned.is_suspended:
        mismatch = version_failure(planned.started, settings)
        if mismatch is None:
            yield from turn.run()
        else:
            turn.fail(mismatch)
    return turn.outcome(now, planned.unread)


class _Turn:
    """What accumulates on the way to a decision."""

    def __init__(self, planned: Plan, knowledge: Knowledge, new_id: Callable[[], str], settings: DurableSettings, refuses: Refuses) -> None:
        self._settings = settings
        self._refuses = refuses
        self._new_id = new_id
        self._started = planned.started
        self._past: Sequence[HistoryEvent] = planned.past
        self._new: tuple[HistoryEvent, ...] = planned.new
        self._episode = 1 + sum(isinstance(event, OrchestratorStarted) for event in planned.past)
        self._scheduled: list[HistoryEvent] = []
        self._outbound: list[TaskMessage] = []
        self._custom_status: str | UnsetType | None = UNSET
        self._is_continued = False
        self._solo_ids = knowledge.solo_ids
        watch = knowledge.watch if planned.past else EventWatch()
        self._watch = watch.copy() if watch is not None else None
        self._warnings: list[str] = []
        self._non_deterministic: NonDeterministic | None = None
        self._now = planned.new[0].timestamp

    def run(self) -> Generator[Episode, Reply, None]:
        """Episode after episode, as long as each begins a new generation."""
        while True:
            episode = Episode(self._started, self._past, self._new)
            reply = yield episode
            again = self._apply(reply)
            if again is None:
                return
            rows = yield from _carried_over(episode)
            self._begin_generation(again, rows)

    def _apply(self, reply: Reply) -> ContinueAsNew | None:
        """Take an answer in; the action that begins the next generation, if there is one."""
        answer, self._now = reply.answer, reply.at
        sentence = status_objection(answer.custom_status)
        if sentence is not None:
            self._custom_status = None
            self._refuse(sentence)
            return None
        if answer.custom_status is not None or not self._is_continued:
            self._custom_status = answer.custom_status
        if answer.failure is not None and not answer.failure.is_labelled:
            self.fail(answer.failure)
            return None
        if self._watch is not None:
            self._warnings += self._watch.follow(self._past, self._new, answer.actions)
        ledger = Ledger(answer.actions)
        try:
            ledger.read((*self._past, *self._new))
        except NonDeterministic as difference:
            self._non_deterministic = difference
            self.fail(Failure(text=str(difference)))
            return None
        sentence = action_objection(answer, ledger.to_schedule, self._started, self._settings.max_actions, self._refuses)
        if sentence is not None:
            self._refuse(sentence)
            return None
        self._solo_ids = ledger.solo_ids
        self._schedule(ledger)
        return self._conclude(answer, ledger)

    def _schedule(self, ledger: Ledger) -> None:
        sender = self._sender()
        for task in ledger.to_schedule:
            event, message = sender.ask(task, self._now)
            self._scheduled.append(event)
            self._outbound.append(message)

    def _conclude(self, answer: Answer, ledger: Ledger) -> ContinueAsNew | None:
        if answer.failure is None and answer.is_done and answer.actions and isinstance(answer.actions[-1], ContinueAsNew):
            return answer.actions[-1]
        if ledger.has_outstanding:
            return None
        if answer.failure is not None:
            self.fail(answer.failure)
        elif answer.is_done:
            self.complete(Status.COMPLETED, answer.output, self._now)
        return None

    def _refuse(self, sentence: str) -> None:
        self.fail(failed(self._started.name, sentence))

    def fail(self, failure: Failure) -> None:
        """End the instance with that failure."""
        self.complete(Status.FAILED, failure.text, self._now, failure)

    def complete(self, status: Status, result: str | None, now: Timestamp, failure: Failure | None = None) -> None:
        """End the instance, and tell its parent."""
        completed = ExecutionCompleted(
            orchestration_status=status,
            result=result,
            failure_details=failure.failure_details if failure else None,
            event_id=1 + max(_task_ids((*self._past, *self._new, *self._scheduled)), default=-1),
            timestamp=now,
        )
        report = self._sender().report(completed, failure.details if failure else None)
        self._scheduled.append(completed)
        self._outbound += [report] if report else []

    def _sender(self) -> Sender:
        begun = next(event.timestamp for event in reversed(self._new) if isinstance(event, OrchestratorStarted))
        return Sender(
            started=self._started,
            episode=self._episode,
            clock=begun,
            stamps=Stamps(self._past, self._settings.entity_reorder_window_s),
            stores_inputs=self._settings.store_inputs,
            default_version=self._settings.default_version,
            new_id=self._new_id,
        )

    def _begin_generation(self, again: ContinueAsNew, rows: Sequence[int]) -> None:
        """Forget the history and start over, under a new execution id, with the new events at these positions: they came too late."""
        carried = [self._new[at] for at in rows]
        if self._watch is not None:
            self._warnings += self._watch.forgotten([len(self._past) + at for at in rows])
        self._watch = EventWatch()
        self._started = ExecutionStarted(
            orchestration_instance=OrchestrationInstance(
                instance_id=self._started.orchestration_instance.instance_id, execution_id=self._new_id()
            ),
            parent_instance=self._started.parent_instance,
            name=self._started.name,
            version=self._started.version if again.version is None else again.version,
            input=again.input,
            tags=self._started.tags,
            parent_trace_context=self._started.parent_trace_context,
            timestamp=self._now,
        )
        self._past = ()
        self._new = (
            OrchestratorStarted(timestamp=self._now),
            self._started,
            *_played(carried),
            OrchestratorCompleted(timestamp=self._now),
        )
        self._scheduled = []
        self._is_continued = True

    def outcome(self, now: Timestamp, unread: frozenset[int]) -> Outcome:
        """Everything that came of the turn."""
        events = [*_played(self._new), *self._scheduled]
        if not isinstance(events[-1], OrchestratorCompleted):
            events.append(OrchestratorCompleted(timestamp=later(now, self._now)))
        decision = Decision(
            execution_id=self._started.orchestration_instance.execution_id or "",
            new_events=tuple(events),
            replaces_history=self._is_continued,
            outbound=tuple(self._outbound),
            custom_status=self._custom_status,
            unread=unread,
        )
        return Outcome(decision, Knowledge(self._solo_ids, self._watch), tuple(self._warnings), self._non_deterministic)


def _task_ids(events: Sequence[HistoryEvent]) -> list[int]:
    """Ids in use. What a rewind neutralised keeps an id, which is free again."""
    return [event.event_id for event in events if not isinstance(event, GenericEvent)]


def _played(events: Sequence[HistoryEvent]) -> list[HistoryEvent]:
    """Events as they are committed: all that an episode was shown counts as played, except that it began."""
    return [event if isinstance(event, OrchestratorStarted) else msgspec.structs.replace(event, is_played=True) for event in events]


def _carried_over(episode: Episode) -> Generator[Episode, Reply, Sequence[int]]:
    """Positions, among the new events, of the external ones that came after the one which made the orchestrator continue as new.

    The answer does not say which that was, so the app is asked again with fewer events until it is known: the first of them with which it
    still continues. Only needed when several events arrived together.
    """
    is_event = [isinstance(event, EventRaised) for event in episode.new]
    first = next(
        (at for at, event in enumerate(episode.new) if not isinstance(event, OrchestratorStarted | ExecutionStarted)), len(is_event)
    )
    fewest = first if episode.past == () else first + 1
    most = len(episode.new)
    while fewest < most and any(is_event[fewest:]):
        middle = (fewest + most) // 2
        reply = yield replace(episode, new=episode.new[:middle])
        if reply.answer.is_done:
            most = middle
        else:
            fewest = middle + 1
    return [at for at in range(most, len(episode.new)) if is_event[at]]
