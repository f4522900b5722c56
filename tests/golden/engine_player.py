"""Plays a recorded scenario on our hub and core: orchestrators and activities are small functions, the storage a proxied emulator."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import msgspec

from linarite.clock import SystemClock
from linarite.durable.actions import Answer
from linarite.durable.events import (
    EVENT_KINDS,
    EventRaised,
    ExecutionStarted,
    FailureDetails,
    HistoryEvent,
    OrchestrationInstance,
    Status,
    SubOrchestrationInstanceCompleted,
    SubOrchestrationInstanceFailed,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    TimerFired,
)
from linarite.durable.messages import TaskMessage
from linarite.durable.turn import Episode, Knowledge, Outcome, Reply, take_turn
from linarite.settings import DurableSettings
from linarite.storage.account import Storage
from linarite.storage.connection import account
from linarite.storage.tables import Change, Instant, Row
from linarite.taskhub.azure.hub import AzureHub
from linarite.taskhub.azure.names import HubNames
from linarite.taskhub.azure.timing import Timing
from linarite.taskhub.protocol import ActivityWorkItem, OrchestrationWorkItem
from linarite.timestamps import timestamp
from tests.golden.engine import Line

NOT_RUNNING = frozenset(Status) - {Status.RUNNING, Status.PENDING, Status.SUSPENDED}


def now() -> str:
    return timestamp(datetime.now(timezone.utc))


@dataclass
class Seen:
    """What an orchestrator has seen so far: its input, when it began, answers by task id, and external events by name."""

    input: str | None
    began: str
    done: dict[int, HistoryEvent]
    raised: dict[str, str | None]

    @classmethod
    def of(cls, episode: Episode) -> Seen:
        events = [*episode.past, *episode.new]
        done: dict[int, HistoryEvent] = {}
        for event in events:
            match event:
                case TaskCompleted() | TaskFailed() | SubOrchestrationInstanceCompleted() | SubOrchestrationInstanceFailed():
                    done[event.task_scheduled_id] = event
                case TimerFired():
                    done[event.timer_id] = event
        raised = {event.name: event.input for event in events if isinstance(event, EventRaised)}
        return cls(episode.started.input, events[0].timestamp, done, raised)

    def result(self, task_id: int) -> str:
        """Result of a task that completed."""
        return getattr(self.done[task_id], "result", None) or "null"


Orchestrator = Callable[[Seen], Answer]


@dataclass
class Commit:
    """One commit: when it was called and returned, and the ids of the queue messages it consumed."""

    instance_id: str
    began: float
    ended: float
    consumed: list[str]


@dataclass
class Player:
    """A host of ours that runs orchestrators by name; activities answer as they did when they were recorded."""

    connection: str
    orchestrators: dict[str, Orchestrator]
    recorded: Sequence[Line]
    hub_name: str = field(default_factory=lambda: "G" + uuid.uuid4().hex[:20])
    timing: Timing = field(default_factory=Timing)
    commits: list[Commit] = field(default_factory=list)

    async def start(self, *, is_client: bool = False) -> None:
        """Bring the host up; a client takes no work."""
        self.storage = Storage(account(self.connection))
        self.names = HubNames(self.hub_name, 4)
        self.hub = AzureHub(self.storage, DurableSettings(), self.hub_name, "golden", SystemClock(), self.timing)
        self._known: dict[str, Knowledge] = {}
        self._is_committing = False
        await self.hub.start()
        self._tasks: list[asyncio.Future[None]] = []
        if is_client:
            return
        await self.hub.start_work()
        self._tasks = [asyncio.ensure_future(self._turns()), asyncio.ensure_future(self._activities())]

    async def stop(self) -> None:
        """Bring the host down in good order; what went wrong in it is raised."""
        await self._end()
        await self.hub.stop()
        await self.storage.close()
        for task in self._tasks:
            if not task.cancelled():
                task.result()

    async def kill(self) -> None:
        """What a kill leaves: nothing is renewed, nothing is released."""
        await self._end()
        for running in (self.hub._begun, self.hub._background, self.hub._orchestrations):
            await running.close()
        await self.storage.close()

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # What a client does

    async def create(self, name: str, instance_id: str, input: str | None = None, **more: Any) -> None:
        """Start an instance, whatever there is under its id."""
        target = OrchestrationInstance(instance_id=instance_id, execution_id=uuid.uuid4().hex)
        event = ExecutionStarted(orchestration_instance=target, name=name, version="", input=input, timestamp=now(), **more)
        await self.hub.create(TaskMessage(event=event, target=target), frozenset(Status))

    async def send(self, instance_id: str, kind: str, **members: Any) -> None:
        """Send an event to an instance."""
        event = EVENT_KINDS[kind](timestamp=now(), **members)
        await self.hub.send(TaskMessage(event=event, target=OrchestrationInstance(instance_id=instance_id)))

    async def until(self, instance_id: str, *statuses: Status, custom_status: str | None = None) -> None:
        """Wait for an instance's status."""

        async def poll() -> None:
            while True:
                instance = await self.hub.instance(instance_id)
                if instance and instance.status in statuses and custom_status in (None, instance.custom_status):
                    return
                await asyncio.sleep(0.02)

        await asyncio.wait_for(poll(), 60)
        await self.idle()

    async def until_history(self, instance_id: str, holds: Callable[[Sequence[HistoryEvent]], bool]) -> None:
        """Wait for what an instance's history says."""

        async def poll() -> None:
            while not holds(await self.hub.history(instance_id)):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

        await asyncio.wait_for(poll(), 60)
        await self.idle()

    async def idle(self) -> None:
        """Wait until no message is left in any queue but those hidden for later, and nothing is being committed."""

        async def poll() -> None:
            while self._is_committing or len(self.hub._control_held) or len(self.hub._work_held):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

        await asyncio.wait_for(poll(), 60)

    def answer_again(self, instance_id: str, task_id: int) -> None:
        """Leave out the first recorded answer to a task: it has been given already."""
        event = TaskScheduled(name="", event_id=task_id, timestamp=now())
        assert self._recorded_answer(instance_id, event) is not None

    async def load(self, lines: Sequence[Line]) -> None:
        """Put recorded rows into our tables."""
        for _, table, columns in (line for line in lines if line[0] == "row"):
            values = {name: Instant(value) if edm == "Edm.DateTime" else value for name, (edm, value) in columns.items()}
            row = Row(values.pop("PartitionKey"), values.pop("RowKey"), values)
            await self.storage.tables.change(f"{self.hub_name}{table}", Change("replace", row))

    async def left(self) -> list[Line]:
        """What is left in the storage."""
        found: list[Line] = []
        for table in ("Instances", "History"):
            async for row in self.storage.tables.rows(f"{self.hub_name}{table}"):
                keys = {"PartitionKey": ["Edm.String", row.partition_key], "RowKey": ["Edm.String", row.row_key]}
                found.append(["row", table, keys | {name: [_edm(value), value] for name, value in row.columns.items()}])
        async for name in self.storage.blobs.names(self.names.payload_container, ""):
            found.append(["blob", name])
        return found

    # The little dispatcher

    async def _turns(self) -> None:
        while True:
            item = await self.hub.next_orchestration()
            decision = self._decide(item).decision
            consumed = [held.receipt.message_id for at, held in enumerate(item.lock.batch.messages) if at not in decision.unread]
            began, self._is_committing = time.monotonic(), True
            await self.hub.commit(item, decision)
            self.commits.append(Commit(item.instance_id, began, time.monotonic(), consumed))
            self._is_committing = False

    def _decide(self, item: OrchestrationWorkItem) -> Outcome:
        known = self._known.get(item.instance_id, Knowledge()) if item.history else Knowledge()
        turn = take_turn(item.history, item.messages, known, now(), lambda: uuid.uuid4().hex, DurableSettings(), lambda _: None)
        try:
            episode = next(turn)
            while True:
                answer = self.orchestrators[episode.started.name](Seen.of(episode))
                episode = turn.send(Reply(answer, now()))
        except StopIteration as end:
            outcome: Outcome = end.value
            self._known[item.instance_id] = outcome.knowledge
            return outcome

    async def _activities(self) -> None:
        while True:
            item = await self.hub.next_activity()
            await self.hub.complete(item, self._answer(item))

    def _answer(self, item: ActivityWorkItem) -> TaskMessage:
        asked = item.message
        event = asked.event
        assert isinstance(event, TaskScheduled)
        answer = self._recorded_answer(asked.target.instance_id, event) or completed(event.event_id, _result(event))
        return TaskMessage(event=answer, target=asked.target, sender=asked.target, episode=asked.episode)

    def _recorded_answer(self, instance_id: str, event: TaskScheduled) -> HistoryEvent | None:
        """What the activity answered when it was recorded (the first answer counts once per task id)."""
        for line in self.recorded:
            message = line[-1]["TaskMessage"] if line[0] == "send" else None
            if message and message["OrchestrationInstance"]["InstanceId"] == instance_id:
                members = message["Event"]
                if members["EventType"] in (5, 6) and members["TaskScheduledId"] == event.event_id and id(line) not in self._used:
                    self._used.add(id(line))
                    kind = EVENT_KINDS["TaskCompleted" if members["EventType"] == 5 else "TaskFailed"]
                    return msgspec.convert({**members, "Timestamp": now()}, kind)  # type: ignore[no-any-return]
        return None

    _used: set[int] = field(default_factory=set)


def completed(task_id: int, result: str) -> TaskCompleted:
    return TaskCompleted(task_scheduled_id=task_id, result=result, timestamp=now())


def _result(event: TaskScheduled) -> str:
    """What the activities of the large payloads answered: too long to be in the recording."""
    [argument] = msgspec.json.decode(event.input or "[]")
    if event.name == "Big":
        return msgspec.json.encode("x" * argument).decode()
    if event.name == "Hello":
        return msgspec.json.encode(f"Hello {argument}").decode()
    return msgspec.json.encode(argument).decode()


def failure_of(lines: Sequence[Line], key: str) -> tuple[str, FailureDetails | None]:
    """Result and details of the failure an instance ended with when it was recorded."""
    for line in lines:
        if line[0] == "history":
            for _, row in line[-1]:
                if isinstance(row, dict) and row["PartitionKey"] == key and row.get("EventType") == "ExecutionCompleted":
                    return row["Result"], msgspec.json.decode(row["FailureDetails"], type=FailureDetails | None)
    raise KeyError(key)


def _edm(value: Any) -> str:
    if isinstance(value, Instant):
        return "Edm.DateTime"
    return {bool: "Edm.Boolean", int: "Edm.Int32", str: "Edm.String"}[type(value)]
