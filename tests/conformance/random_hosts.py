"""Random orchestrations on a real hub, through dispatcher, core and SDK in this process, by hosts that die and are followed by others."""

from __future__ import annotations

import contextlib
import json
import logging
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import azure.durable_functions as df

from linarite.clock import Clock, SystemClock, within
from linarite.dialects.names import DurableFunctions
from linarite.dispatcher import Dispatcher
from linarite.durable.decision import Decision
from linarite.durable.events import EventRaised, ExecutionCompleted, ExecutionStarted, HistoryEvent, OrchestrationInstance, Status
from linarite.durable.instances import Instance
from linarite.durable.messages import TaskMessage, is_entity
from linarite.errors import HubError, UserCodeFailed
from linarite.invocation import Datum, Place
from linarite.metadata import Binding, Function
from linarite.settings import DurableSettings
from linarite.taskhub.protocol import InstanceQuery, OrchestrationWorkItem, TaskHub
from linarite.timestamps import timestamp
from tests.conformance.episodes import ANY_STATUS, start
from tests.conformance.grounds import Ground
from tests.conformance.shaky_hub import ACTIVITY_TASK, Fate, ShakyHub
from tests.durable.programs import Activities, Program, entity, events_of, orchestrator

_log = logging.getLogger(__name__)

PATIENCE_S = 240
"""After so long in real time a test fails."""

OVER = (Status.COMPLETED, Status.FAILED)
"""No program ends otherwise."""


class Sdk:
    """Runs the app's functions by calling the SDK here."""

    def __init__(self) -> None:
        self._documents = {"program": df.Orchestrator.create(orchestrator), "notes": df.Entity.create(entity)}
        self._activities = Activities()
        kinds = {"program": "orchestrationTrigger", "notes": "entityTrigger"} | dict.fromkeys(("echo", "boom", "flaky"), "activityTrigger")
        self.functions = DurableFunctions([_function(name, trigger) for name, trigger in kinds.items()], str)

    async def place(self, function: Function, value: str, task_id: int | None) -> Place | None:
        return None

    async def call(self, function: Function, value: str, metadata: Mapping[str, Datum]) -> str | None:
        try:
            if (document := self._documents.get(function.name)) is not None:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # the SDK's of itself
                    return str(document(value))
            return json.dumps(self._activities.run(function.name, json.loads(value), *ACTIVITY_TASK.get()))
        except Exception as error:
            raise UserCodeFailed(type(error).__name__, str(error), "stack") from error


def _function(name: str, trigger: str) -> Function:
    binding = Binding(name="context", type=trigger, direction="in", raw={"name": "context", "type": trigger})
    return Function(id=name, name=name, bindings=(binding,), script_file="", entry_point="", directory="", def_name=name)


class Callers:
    """Raise all that a generation waits for once it has begun; each wait has a name of its own, so none is lost."""

    def __init__(self) -> None:
        self._begun: dict[str, ExecutionStarted] = {}

    def learn(self, decision: Decision) -> None:
        """Of a generation that begins if this decision is committed."""
        for event in decision.new_events:
            if isinstance(event, ExecutionStarted) and not is_entity(event.name) and events_of(_program(event)):
                self._begun[event.orchestration_instance.execution_id or ""] = event

    async def call(self, hub: TaskHub, clock: Clock) -> None:
        """Raise the events of the generations that did begin."""
        for execution_id, begun in list(self._begun.items()):
            history = await hub.history(begun.orchestration_instance.instance_id)
            if any(isinstance(e, ExecutionStarted) and e.orchestration_instance.execution_id == execution_id for e in history):
                target = OrchestrationInstance(instance_id=begun.orchestration_instance.instance_id)
                for name in events_of(_program(begun)):
                    raised = EventRaised(name=f"e{name}", input=json.dumps(f"value {name}"), timestamp=timestamp(clock.now()))
                    await hub.send(TaskMessage(event=raised, target=target))
                del self._begun[execution_id]


def _program(started: ExecutionStarted) -> Program:
    found: Program = json.loads(json.loads(started.input or ""))
    return found


@dataclass(frozen=True)
class Ended:
    """An instance, a child or not, after its end."""

    instance_id: str
    program: Program
    status: Status
    output: str | None
    history: Sequence[HistoryEvent]


class Hosts:
    """One host after the other on some ground, until every instance has ended."""

    def __init__(self, ground: Ground, fate: Fate) -> None:
        self._ground = ground
        self._fate = fate
        self._callers = Callers()
        self._sdk = Sdk()
        self._running: set[str] = set()
        self._begun: defaultdict[tuple[str, str | None], set[str | None]] = defaultdict(set)
        self._may_have_ended: set[str] = set()
        self.deaths = 0

    async def run(self, programs: Mapping[str, Program]) -> list[Ended]:
        """Run these programs, by instance id, to their ends, and those of all their children."""
        self._running = set(programs)
        try:
            return await within(SystemClock(), PATIENCE_S, self._run(programs))
        except TimeoutError:
            raise AssertionError(f"after {PATIENCE_S} s these had not ended: {sorted(self._running)}") from None

    async def _run(self, programs: Mapping[str, Program]) -> list[Ended]:
        hub = self._ground.hub()
        await hub.start()
        for instance_id, program in programs.items():
            stored = json.dumps(json.dumps(program))
            begins = start(instance_id, self._ground.clock.now(), f"{instance_id}-1", name="program", input=stored)
            await hub.create(begins, ANY_STATUS)
        while not await self._sees_it_through(hub):
            self.deaths += 1
            hub = self._ground.hub()
            await hub.start()
            self._may_have_ended = set(self._running)
        ended = [await self._ended(hub, row) for row in await _rows(hub)]
        await self._ground.close(hub)
        return ended

    async def _sees_it_through(self, hub: TaskHub) -> bool:
        """A host's life; whether all have ended in it. If not it is over, and buried."""
        host = ShakyHub(hub, self._fate, self)
        self._ground.threaten(host, self._fate)
        dispatcher = Dispatcher(host, self._sdk.functions, self._sdk, self._ground.clock, DurableSettings())
        await hub.start_work()
        await dispatcher.start()
        try:
            while self._running and not host.dead.is_set():
                with contextlib.suppress(HubError):  # it is tried again
                    await self._callers.call(hub, self._ground.clock)
                    await self._look_who_has_ended(hub)
                await self._ground.pause(hub)
        finally:
            await dispatcher.stop()
            if self._running:
                _log.info("the host is dead")
                await (self._ground.bury(hub) if self._fate.random.random() < 0.8 else self._ground.close(hub))
        return not self._running

    async def _look_who_has_ended(self, hub: TaskHub) -> None:
        """By the row, which comes last. Until it is written, the messages are there that have it written."""
        for instance_id in list(self._may_have_ended):
            row = await hub.instance(instance_id)
            if row is not None and row.status in OVER:
                self._running.discard(instance_id)
            self._may_have_ended.discard(instance_id)

    async def _ended(self, hub: TaskHub, row: Instance) -> Ended:
        history = await hub.history(row.instance_id)
        [begun] = [event for event in history if isinstance(event, ExecutionStarted)]
        return Ended(row.instance_id, _program(begun), row.status, row.output, history)

    def begun_twice(self) -> list[str]:
        """Instances of which one generation was begun more than once. Each has an input of its own: it says how many follow."""
        return [instance_id for (instance_id, _), execution_ids in self._begun.items() if len(execution_ids) > 1]

    def decided(self, decision: Decision) -> None:
        """See Witness."""
        self._callers.learn(decision)
        for event in decision.new_events:
            if isinstance(event, ExecutionStarted) and not is_entity(event.name):
                self._running.add(event.orchestration_instance.instance_id)

    def committed(self, item: OrchestrationWorkItem, decision: Decision) -> None:
        """See Witness."""
        for event in decision.new_events:
            if isinstance(event, ExecutionStarted) and not is_entity(event.name):
                self._begun[item.instance_id, event.input].add(event.orchestration_instance.execution_id)
        if any(isinstance(event, ExecutionCompleted) for event in (*item.history, *decision.new_events)):
            self._may_have_ended.add(item.instance_id)


async def _rows(hub: TaskHub) -> list[Instance]:
    """All instances but entities."""
    page = await hub.instances(InstanceQuery(exclude_entities=True))
    rows = [*page.instances]
    while page.continuation is not None:
        page = await hub.instances(InstanceQuery(exclude_entities=True, after=page.continuation))
        rows += page.instances
    return rows
