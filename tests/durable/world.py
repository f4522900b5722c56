"""A task hub, a clock and an app in one small object: drives the core with the real SDK, one message at a time.

Activities are plain functions. `deliver` decides what of the waiting messages becomes a work item; tests override it to reorder, repeat and
delay.
"""

from __future__ import annotations

import json
import traceback
import warnings
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import azure.durable_functions as df
from msgspec import UNSET

from linarite.dialects.json_shim import activities, answers, entities, requests
from linarite.durable.actions import Answer
from linarite.durable.delivery import is_out_of_order
from linarite.durable.entities import take_entity_turn
from linarite.durable.events import (
    EventRaised,
    ExecutionCompleted,
    ExecutionStarted,
    HistoryEvent,
    OrchestrationInstance,
    Status,
    TaskScheduled,
)
from linarite.durable.instances import instance_update
from linarite.durable.messages import TaskMessage, is_entity
from linarite.durable.plan import execution_id_of
from linarite.durable.turn import Episode, Knowledge, Outcome, Reply, take_turn
from linarite.errors import UserCodeFailed
from linarite.settings import DurableSettings
from linarite.timestamps import Timestamp, moment, timestamp

Orchestrator = Callable[[df.DurableOrchestrationContext], Generator[Any, Any, Any]]


@dataclass
class Stored:
    """What the hub holds of one instance."""

    history: list[HistoryEvent] = field(default_factory=list)
    row: dict[str, Any] = field(default_factory=dict)
    knowledge: Knowledge = field(default_factory=Knowledge)
    known_of: str | None = None
    encoded: requests.EncodedHistory = field(default_factory=requests.EncodedHistory)

    @property
    def execution_id(self) -> str | None:
        return next((e.orchestration_instance.execution_id for e in self.history if isinstance(e, ExecutionStarted)), None)


class World:
    """One hub with one app."""

    def __init__(
        self,
        orchestrators: dict[str, Orchestrator],
        activities: dict[str, Callable[[Any], Any]] | None = None,
        settings: DurableSettings | None = None,
        entities: dict[str, Callable[[df.DurableEntityContext], None]] | None = None,
    ) -> None:
        self.orchestrators = {name: df.Orchestrator.create(code) for name, code in orchestrators.items()}
        self.entities = {name: df.Entity.create(code) for name, code in (entities or {}).items()}
        self.activities = activities or {}
        self.settings = settings or DurableSettings()
        self.clock = datetime(2026, 1, 1, tzinfo=timezone.utc)
        self.instances: dict[str, Stored] = {}
        self.waiting: list[TaskMessage] = []
        self.payloads: list[dict[str, Any]] = []
        self.documents: list[dict[str, Any]] = []
        self.ran: list[tuple[str, Any]] = []
        self.warnings: list[str] = []
        self.task = ("", -1)
        """Execution and task id of the activity that runs, or ran last."""
        self.forgets = False
        """Whether nothing is remembered of the episode before, as on a host that has just started."""
        self._ids = 0

    def now(self) -> Timestamp:
        """Every look at the clock moves it on a little, so that times tell an order."""
        self.clock += timedelta(microseconds=100)
        return timestamp(self.clock)

    def new_id(self) -> str:
        self._ids += 1
        return f"{self._ids:032x}"

    def start(self, name: str, value: Any = None, instance_id: str = "i", **changes: Any) -> None:
        me = OrchestrationInstance(instance_id=instance_id, execution_id=self.new_id())
        stored = None if value is None else json.dumps(json.dumps(value))
        event = ExecutionStarted(orchestration_instance=me, name=name, input=stored, generation=0, timestamp=self.now(), **changes)
        self.waiting.append(TaskMessage(event=event, target=me))

    def raise_event(self, name: str, value: Any = None, instance_id: str = "i") -> None:
        self.send(EventRaised(name=name, input=json.dumps(value), timestamp=self.now()), instance_id)

    def send(self, event: HistoryEvent, instance_id: str = "i") -> None:
        self.waiting.append(TaskMessage(event=event, target=OrchestrationInstance(instance_id=instance_id)))

    def run(self, limit: int = 1000) -> None:
        """Until nothing waits that could be delivered, or is due later; then to the next due time, until all is over."""
        for _ in range(limit):
            if not self.step():
                later = [moment(m.due_at) for m in self.waiting if m.due_at and moment(m.due_at) > self.clock]
                if not later:
                    return
                self.clock = min(later)
        raise AssertionError("the world does not come to rest")

    def settle(self) -> None:
        """Everything that can happen without time passing."""
        while self.step():
            pass

    def due(self) -> list[TaskMessage]:
        return [m for m in self.waiting if m.due_at is None or moment(m.due_at) <= self.clock]

    def step(self) -> bool:
        """Run one activity or one turn; False if there was none to run."""
        for message in self.due():
            if isinstance(message.event, TaskScheduled):
                self.waiting.remove(message)
                self.run_activity(message)
                return True
        for target in dict.fromkeys(m.target.instance_id for m in self.due()):
            batch = self.deliver([m for m in self.due() if m.target.instance_id == target])
            if batch and self.turn(target, batch):
                return True
        return False

    def deliver(self, messages: list[TaskMessage]) -> list[TaskMessage]:
        """Of one instance's due messages, those that go into one work item: all of the first one's generation."""
        generation = next((m.target.execution_id for m in messages if m.target.execution_id), None)
        return [m for m in messages if m.target.execution_id in (None, generation)]

    def run_activity(self, message: TaskMessage) -> None:
        event = message.event
        assert isinstance(event, TaskScheduled)
        value = json.loads(activities.trigger_value(event.input))
        self.ran.append((event.name, value))
        self.task = (message.target.execution_id or "", event.event_id)
        answer: HistoryEvent
        try:
            answer = activities.completed(event.event_id, json.dumps(self.activities[event.name](value)), self.now())
        except Exception as error:
            failed = UserCodeFailed(type(error).__name__, str(error), "stack")
            answer = activities.failed(event.event_id, event.name, failed, self.now())
        self.waiting.append(TaskMessage(event=answer, target=message.target, sender=message.sender))

    def turn(self, instance_id: str, batch: Sequence[TaskMessage]) -> bool:
        """One turn with these messages; False if nothing could be delivered."""
        stored = self.instances.setdefault(instance_id, Stored())
        history, batch = self.deliverable(stored, batch)
        if not batch:
            return False
        addressed = next((m.target.execution_id for m in batch if m.target.execution_id), None)
        outcome = self.decide(stored, history, batch)
        self.commit(stored, batch, outcome, addressed)
        return bool(outcome.decision.new_events) or len(outcome.decision.unread) < len(batch)

    def deliverable(self, stored: Stored, batch: Sequence[TaskMessage]) -> tuple[list[HistoryEvent], list[TaskMessage]]:
        """The history that these messages address, and those of them that may be delivered."""
        addressed = next((m.target.execution_id for m in batch if m.target.execution_id), None)
        history = stored.history if addressed in (None, stored.execution_id) else []
        ready = [m for m in batch if not is_out_of_order(m, history, 1)]
        if ready and not any(m.target.execution_id for m in ready):  # those left are for whichever generation is current
            history = stored.history
        return history, ready

    def decide(self, stored: Stored, history: list[HistoryEvent], batch: Sequence[TaskMessage]) -> Outcome:
        if is_entity(batch[0].target.instance_id):
            return self.decide_entity(history, batch)
        known = Knowledge() if self.forgets or execution_id_of(history, batch) != stored.known_of else stored.knowledge
        turn = take_turn(history, batch, known, self.now(), self.new_id, self.settings, lambda action: None)
        try:
            episode = next(turn)
            while True:
                answer = self.ask(episode, stored)
                episode = turn.send(Reply(answer, self.now()))
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome

    def decide_entity(self, history: list[HistoryEvent], batch: Sequence[TaskMessage]) -> Outcome:
        turn = take_entity_turn(batch[0].target.instance_id, history, batch, self.now(), self.new_id, self.settings)
        try:
            operations = next(turn)
            while True:
                text = self.entities[operations.name](entities.request(operations))
                operations = turn.send(entities.reply(operations, text, self.now()))
        except StopIteration as end:
            return Outcome(end.value)

    def ask(self, episode: Episode, stored: Stored) -> Answer:
        document = requests.request(episode, stored.encoded, self.settings.http_async_sleep_ms)
        self.payloads.append(json.loads(document))
        name = episode.started.name
        clock = episode.new[0].timestamp
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                text = self.orchestrators[name](document)
        except Exception as error:
            return answers.failure(name, UserCodeFailed(type(error).__name__, str(error), traceback.format_exc()), clock)
        self.documents.append(json.loads(text))
        return answers.answer(name, text, clock)

    def commit(self, stored: Stored, batch: Sequence[TaskMessage], outcome: Outcome, addressed: str | None) -> None:
        decision = outcome.decision
        self.warnings += outcome.warnings
        if decision.new_events:
            stored.knowledge, stored.known_of = outcome.knowledge, decision.execution_id
        for at, message in enumerate(batch):
            if at not in decision.unread:
                self.waiting.remove(message)
        self.waiting += decision.outbound
        if decision.new_events:
            replaces = decision.replaces_history or addressed not in (None, stored.execution_id)
            stored.history = [*([] if replaces else stored.history), *decision.new_events]
            update = instance_update(
                decision.new_events, execution_id=decision.execution_id, custom_status=decision.custom_status, now=self.now()
            )
            stored.row.update({name: value for name in update.__struct_fields__ if (value := getattr(update, name)) is not UNSET})

    def status(self, instance_id: str = "i") -> Status:
        status: Status = self.instances[instance_id].row["status"]
        return status

    def output(self, instance_id: str = "i") -> Any:
        """The parsed output of a completed instance, or the text of a failed or terminated one."""
        row = self.instances[instance_id].row
        text = row.get("output")
        return text if text is None or row["status"] is not Status.COMPLETED else json.loads(text)

    def history(self, instance_id: str = "i") -> list[HistoryEvent]:
        return self.instances[instance_id].history

    def completion(self, instance_id: str = "i") -> ExecutionCompleted:
        return next(event for event in self.history(instance_id) if isinstance(event, ExecutionCompleted))
